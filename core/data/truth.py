"""What a generated dataset knows of each of its samples, and what a kept set made of it.

The ``truth`` column of a bank holds one record of type :data:`TRUTH` a sample. A source that knows
less, or something else, may have a column of its own; only this type is summarised.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

TRUTH = np.dtype(
    [
        ("label", "<i4"),  # class of what the picture shows; the target, unless mislabelled
        ("mislabelled", "?"),  # whether the target is another class
        ("other", "<i4"),  # class that is mixed in, -1 for none
        ("ambiguity", "<f4"),  # weight of that class, 0 to 0.5
        ("noise", "<f4"),  # standard deviation of the pixel noise, full scale being 1
        ("group", "<i4"),  # number of the group of near-duplicates, -1 for none
        ("mode", "<i2"),  # which of the looks of its class
        ("rare", "?"),  # whether that look is a rare one
        ("difficulty", "<f4"),  # share of the signal that noise and ambiguity leave over, from 1
    ]
)


def difficulty(
    contrast: float, ambiguity: npt.ArrayLike, noise: npt.ArrayLike
) -> npt.NDArray[np.float64]:
    """0 (clean) to 1 (nothing to see): ``noise / (noise + contrast (1 - 2 ambiguity))``.

    ``1 - 2 ambiguity`` is by how much the picture's own class outweighs the other one. It is the
    difficulty of the picture: a wrong label or a rare look is said apart.
    """
    drowned = np.asarray(noise, dtype=np.float64)
    left = contrast * (1 - 2 * np.asarray(ambiguity, dtype=np.float64))
    total = drowned + left
    return np.divide(drowned, total, out=np.ones_like(total), where=total > 0)


def kept_truth(
    truth: npt.NDArray[Any] | None, kept: npt.NDArray[np.int64]
) -> dict[str, Any] | None:
    """What became of each kind of sample; None when ``truth`` [N] is no column of :data:`TRUTH`.

    ``kept`` are ids. Shares are null where there is no sample of the kind. ``duplicates.kept``: of
    how many near-duplicates of a group, on average over the groups, were kept.
    """
    if (
        truth is None
        or truth.dtype.names is None
        or not set(TRUTH.names or ()) <= {*truth.dtype.names}
    ):
        return None
    chosen = np.zeros(len(truth), dtype=bool)
    chosen[kept] = True
    return {
        "mislabelled": _share(truth["mislabelled"], chosen),
        "ambiguous": _share(truth["other"] >= 0, chosen),
        "rare": _share(truth["rare"], chosen),
        "duplicates": _groups(truth["group"], chosen),
        "difficulty": {
            "all": float(truth["difficulty"].mean()),
            "kept": float(truth["difficulty"][chosen].mean()) if chosen.any() else None,
        },
    }


def _share(which: npt.NDArray[np.bool_], chosen: npt.NDArray[np.bool_]) -> dict[str, Any]:
    number = int(which.sum())
    return {"n": number, "kept": float(chosen[which].mean()) if number else None}


def _groups(group: npt.NDArray[Any], chosen: npt.NDArray[np.bool_]) -> dict[str, Any]:
    number = len(np.unique(group[group >= 0]))
    members = int((group >= 0).sum())
    return {
        "groups": number,
        "members": members / number if number else None,
        "kept": int((chosen & (group >= 0)).sum()) / number if number else None,
    }
