"""Extrapolators: from the scores of a subset to a score for every sample. One file, one method.

For arrays of your own::

    from core.extrapolators import extrapolate
    found = extrapolate(embeddings, ids, scores)   # [N, d], [m], [m]
    found.scores, found.std, found.heldout.spearman
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.extrapolators.alone import Extrapolated, extrapolate

__all__ = ["Extrapolated", "extrapolate"]


def __getattr__(name: str) -> Any:
    """Import what is asked for, so that one method can be loaded without all of this."""
    if name in __all__:
        from core.extrapolators import alone

        return getattr(alone, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
