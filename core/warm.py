"""Everything a sweep's worker loads, in one import: a fork server's first module. Nothing of torch
is run here, and CUDA is not touched."""

from __future__ import annotations

import importlib

from core.imports import quick_imports

_MODULES = (
    "torch._inductor.config",  # deterministic algorithms need it; it takes a second
    "pandas",  # pyarrow loads it where it is installed
    "core.report.many.page",
    "core.report.run",
    "core.slot_jobs",
)

with quick_imports():
    for _module in _MODULES:
        importlib.import_module(_module)
