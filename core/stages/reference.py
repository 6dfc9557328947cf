"""A scoring run on all N samples with the same recipe: it measures and helps nobody.

Seals what :mod:`core.stages.score` seals, under the role ``reference``, whose initialisation and
order share nothing with the scoring run's: else truth and ceiling would be inflated.
"""

from __future__ import annotations

import numpy as np

from core.plan.tasks import Task
from core.stages.base import Context, Entry, Ids
from core.stages.score import produce_scoring, scoring_entries

ROLE = "reference"


def entries(task: Task, ctx: Context) -> list[Entry]:
    """The net, then the scores."""
    return scoring_entries(task, ctx, _everyone(ctx), ROLE)


def produce(task: Task, ctx: Context, missing: list[Entry]) -> None:
    """Train on everything, record, seal."""
    produce_scoring(task, ctx, missing, _everyone(ctx), ROLE)


def _everyone(ctx: Context) -> Ids:
    return np.arange(len(ctx.dataset.train), dtype=np.int64)
