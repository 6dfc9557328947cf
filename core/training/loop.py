"""The one hot loop: a net, a paradigm, a feed and a recipe in, a trained net and its ledger out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.models.base import Net
from core.paradigms.base import Paradigm
from core.training.checkpoint import CheckpointFolder
from core.training.control import Control, Trained
from core.training.curve import Curve
from core.training.devices import Compute
from core.training.feed import Feed
from core.training.recorder import Recorder
from core.training.recipe import Recipe


def train(
    net: Net,
    paradigm: Paradigm,
    feed: Feed,
    ids: NDArray[np.int64],
    recipe: Recipe,
    *,
    seed: int,
    role: str,
    total_steps: int | None = None,
    test: Feed | None = None,
    recorder: Recorder | None = None,
    curve: Curve | None = None,
    checkpoints: CheckpointFolder | None = None,
    control: Control | None = None,
    compute: Compute,
) -> Trained: ...
