"""Draw the subset that is trained on and scored. Seals ``ids.npy``, sorted int64 ``[m]``.

``random`` takes the first ids of the seed's permutation, so that subsets of one seed nest;
``labelled`` takes what the source has a label for, ``real`` all real samples and some generated.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from core import events as ev
from core.data.bank import REAL, targets_digest
from core.errors import UserError
from core.plan.tasks import Task
from core.plan.trials import subset_size
from core.rng import generator
from core.stages.base import Context, Entry, Ids, array_digest, metered, plain


def entries(task: Task, ctx: Context) -> list[Entry]:
    """One entry: the ids."""
    spec, train = ctx.spec(task), ctx.source.train
    parts: dict[str, Any] = {"subset": plain(spec.subset), "n": len(train), "seed": task.seed}
    if spec.subset.how == "class_balanced":
        parts["targets"] = targets_digest(train, np.arange(len(train), dtype=np.int64))
    elif spec.subset.how == "real":
        parts["source"] = array_digest(np.asarray(train.source))
    elif spec.subset.how == "labelled":
        parts["labelled"] = array_digest(labelled(np.asarray(train.targets)))
    return [Entry("subset", parts)]


def produce(task: Task, ctx: Context, missing: list[Entry]) -> None:
    """Draw and seal."""
    spec, train = ctx.spec(task), ctx.source.train
    size = subset_size(spec, ctx.graph.facts[task.cells[0]])
    with metered(ctx) as meter:
        permutation = generator(task.seed, "data", "subset").permutation(len(train))
        if spec.subset.how == "class_balanced":
            ids = balanced(permutation, np.asarray(train.targets), size)
        elif spec.subset.how == "labelled":
            ids = labelled(np.asarray(train.targets))
        elif spec.subset.how == "real":
            ids = real_first(permutation, np.asarray(train.source), size)
        else:
            ids = permutation[:size]
    ids = np.sort(ids).astype(np.int64)
    _look(ids, ctx)
    with ctx.store.writing(missing[0].key) as out:
        np.save(out.path / "ids.npy", ids)
        out.parts.update(missing[0].parts)
        out.cost.update(meter.cost())


def real_first(permutation: Ids, source: Ids, size: int) -> Ids:
    """``size`` ids: every real one, then generated ones in the order of the permutation."""
    return permutation[np.argsort(source[permutation] != REAL, kind="stable")[:size]]


def labelled(targets: Ids) -> Ids:
    """Ids of the samples that have a label, sorted."""
    return np.flatnonzero(targets >= 0).astype(np.int64)


def balanced(permutation: Ids, targets: Ids, size: int) -> Ids:
    """``size`` ids with class counts as equal as the classes allow, each class's in the order of
    the permutation. UserError when labels are missing."""
    labels = targets[permutation]
    if labels.min() < 0:
        raise UserError("subset.how: class_balanced needs the label of every sample", "use random")
    order = np.argsort(labels, kind="stable")
    counts = np.bincount(labels)
    starts = np.cumsum(counts) - counts
    rank = np.empty(len(labels), dtype=np.int64)  # 0 for the first of its class, 1 for the second
    rank[order] = np.arange(len(labels)) - starts[labels[order]]
    # One of every class in turn until enough: full rounds first, the rest in permutation order.
    return permutation[np.lexsort((np.arange(len(labels)), rank))[:size]]


def _look(ids: Ids, ctx: Context) -> None:
    targets = ctx.source.train.targets[ids]
    if (targets < 0).any():
        count = int((targets < 0).sum())
        raise UserError(
            f"{count} of the {len(ids)} samples of the subset have no label",
            "use subset.how: labelled with fraction: null, or label them first",
        )
    absent = sorted(set(range(len(ctx.dataset.classes))) - set(np.unique(targets).tolist()))
    if absent:
        named = ", ".join(ctx.dataset.classes[c] for c in absent[:5])
        ctx.emit(ev.Message("warning", f"the drawn subset has no sample of: {named}"))
