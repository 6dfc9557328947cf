"""Front ends of prunectl. ``from prunectl import run, open_run`` starts and reads runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prunectl.api import RunHandle, open_run, run

__all__ = ["RunHandle", "open_run", "run"]


def __getattr__(name: str) -> Any:
    # PEP 562: `prunectl --help` imports this package and must not load numpy and pydantic.
    if name in __all__:
        from prunectl import api

        return getattr(api, name)
    raise AttributeError(f"module 'prunectl' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
