"""Recorded runs beside the prepared digits they were made of."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from screen_app import JOURNALS

from core.data.locations import default_cache_root
from core.data.prepare import prepare_dataset
from core.runs import Run
from core.spec_load import parse_spec, read_yaml


def recorded(name: str, folder: Path) -> Run:
    """A copy of a recorded run, to be changed at will."""
    return Run(Path(shutil.copytree(JOURNALS / name, folder / name)))


def truth(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Pictures uint8 ``[N, 8, 8, 1]`` and labels ``[N]`` of the run's training data."""
    spec = parse_spec(read_yaml(run.spec_file))
    train = prepare_dataset(spec.data, default_cache_root()).train
    return np.asarray(train.inputs), np.asarray(train.targets)
