"""Memory of the recorder per scored sample: ``python -m benchmarks.recorder_memory``.

For every score and each of its presets, the bytes of all tensors that a recorder holds after a
short run of made-up logits, found by walking its objects, so that nothing kept can be left out of
the count. Taken at two numbers of samples, so that what does not grow with them drops out. The
values a score needs of each sample's last epochs (its window, 4 bytes each) are given apart.
Dynamic uncertainty may hold at most 64 bytes beyond its window; a recorder that keeps every epoch's
value and an index over all samples, as the published code does, must not hold that.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from benchmarks.conditions import machine
from core import registry
from core.models.base import Net
from core.needs import score_kind
from core.paradigms.base import StepOutput
from core.scores.base import TrainedScore
from core.spec import ScoreSpec
from core.training.epoch import TrainBatch
from core.training.feed import Feed
from core.training.recorder import Recorded, Recorder

RESULT = Path(__file__).parent / "results" / "recorder_memory.md"
EPOCHS, CLASSES, FRACTION, FEATURES = 50, 10, 5, 16
"""Epochs at least: a preset that reads more is given as many."""
SIZES = (2_000, 10_000)
LIMIT = 64.0
LIMITED = "dynamic_uncertainty"


class EveryEpoch(TrainedScore):
    """Naive: all epochs' probabilities of all classes are kept, and scored at the end."""

    direction = "high"

    def __init__(self, m: int) -> None:
        self._seen = torch.zeros(EPOCHS, m, CLASSES)

    @property
    def bytes_per_sample(self) -> int:
        return 4 * EPOCHS * CLASSES

    def observe(self, epoch: int, batch: Any) -> None:
        self._seen[epoch].index_copy_(0, batch.ids, batch.probs)

    def end_epoch(self, epoch: int) -> None:
        pass

    def finalize(self) -> torch.Tensor:
        return self._seen.std(0).mean(1)

    def state_dict(self) -> dict[str, torch.Tensor]:
        return {"seen": self._seen}

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        self._seen.copy_(state["seen"])


@dataclass(frozen=True)
class Row:
    """Bytes per scored sample: of everything held, of the window, as the score states it."""

    name: str
    preset: str
    held: float
    window: int
    stated: int
    naive: bool = False

    @property
    def beyond(self) -> float:
        return self.held - self.window

    @property
    def limited(self) -> bool:
        return self.naive or self.name == LIMITED

    @property
    def as_it_should(self) -> bool:
        return not self.limited or (self.beyond > LIMIT) == self.naive

    def __str__(self) -> str:
        limit, verdict = ("-", "")
        if self.limited:
            limit, verdict = f"{LIMIT:.0f}", "fails" if self.beyond > LIMIT else "holds"
        return (
            f"| {self.name} | {self.preset} | {self.held:.1f} | {self.window} "
            f"| {self.beyond:.1f} | {self.stated} | {limit} | {verdict} |"
        )


def storages(thing: object, seen: dict[int, int], visited: set[int]) -> None:
    """Fill ``seen`` with the bytes of every tensor or array storage reachable from ``thing``."""
    if id(thing) in visited or isinstance(thing, type | torch.device | torch.dtype):
        return
    visited.add(id(thing))
    if isinstance(thing, torch.Tensor):
        storage = thing.untyped_storage()
        seen[storage.data_ptr()] = storage.nbytes()
    elif isinstance(thing, np.ndarray):
        whole = thing.base if isinstance(thing.base, np.ndarray) else thing
        seen[whole.ctypes.data] = whole.nbytes
    else:
        for part in _inside(thing):
            storages(part, seen, visited)


def _inside(thing: object) -> Iterator[object]:
    if isinstance(thing, dict):
        yield from thing.values()
    elif isinstance(thing, list | tuple | set):
        yield from thing
    elif hasattr(thing, "__dict__"):
        yield from vars(thing).values()


def held_bytes(recorder: Recorder) -> int:
    """Bytes of all tensors and arrays of a recorder."""
    seen: dict[int, int] = {}
    storages(recorder, seen, set())
    return sum(seen.values())


def after_a_run(score: TrainedScore, m: int, epochs: int) -> int:
    """Bytes held once ``score`` has watched ``epochs`` epochs of ``m`` samples, a fifth of all.

    The ids come in no order, the dearer case. All modes hold the same; the logits are shown as
    those of the training forward.
    """
    rng = np.random.default_rng(0)
    ids = rng.permutation(FRACTION * m)[:m].copy()  # a view would keep all of them
    recorder = Recorder(
        ids, FRACTION * m, {"score": Recorded(score, "train_forward")}, torch.device("cpu")
    )
    nothing = torch.empty(0)
    for epoch in range(epochs):
        logits, targets = torch.randn(m, CLASSES), torch.randint(CLASSES, (m,))
        batch = TrainBatch(nothing, targets, torch.from_numpy(ids), nothing)
        out = StepOutput(logits.sum(), logits, torch.randn(m, FEATURES))
        recorder.observe_step(epoch, cast(Net, None), cast(Feed, None), batch, out)
        recorder.end_epoch(epoch, cast(Net, None), cast(Feed, None))
    recorder.finalize()
    return held_bytes(recorder)


def measure() -> list[Row]:
    """A row for every preset of every score, and the naive recorder's."""
    rows = []
    for name in registry.names("score"):
        if score_kind(name) != "trained":
            continue
        module: Any = registry.load("score", name)
        for preset, settings in module.PRESETS.items():
            spec = ScoreSpec.model_validate({"name": name, **settings})

            epochs = max(EPOCHS, settings.get("epoch", 0) + settings.get("span", 0))

            def make(
                m: int, module: Any = module, spec: ScoreSpec = spec, epochs: int = epochs
            ) -> TrainedScore:
                score: TrainedScore = module.make(m, CLASSES, epochs, spec, torch.device("cpu"))
                return score

            window = 4 * spec.window.length if spec.window else 0
            rows.append(Row(name, preset, _slope(make, epochs), window, make(1).bytes_per_sample))
    stated = EveryEpoch(1).bytes_per_sample
    return [
        *rows,
        Row("naive: every epoch", "-", _slope(EveryEpoch, EPOCHS), 40, stated, naive=True),
    ]


def _slope(make: Any, epochs: int) -> float:
    few, many = (after_a_run(make(m), m, epochs) for m in SIZES)
    return (many - few) / (SIZES[1] - SIZES[0])


def report(rows: list[Row]) -> str:
    """The table as Markdown."""
    return "\n".join(
        [
            "# Memory of the recorder",
            "",
            f"`python -m benchmarks.recorder_memory`: tensors and arrays held after {EPOCHS} "
            f"epochs (more where a preset reads more), {CLASSES} classes, {SIZES[1]:,} scored of "
            f"{FRACTION * SIZES[1]:,} samples. "
            f"{machine('torch')}.",
            "",
            "Bytes per scored sample:",
            "",
            "| score | preset | held | window | beyond it | stated | limit beyond | |",
            "|---|---|---|---|---|---|---|---|",
            *map(str, rows),
            "",
            "`held` counts the recorder's own index too (ids, sorted ids and their order, 8 bytes "
            "each, once for all scores of a run); `stated` is the score's `bytes_per_sample`, "
            "which is without it. The naive recorder must fail.",
            "",
        ]
    )


def main() -> None:
    """Measure, print, write down; exit 1 when a limit is broken or the naive side keeps it."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    rows = measure()
    table = report(rows)
    print(table)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(table)
    sys.exit(not all(row.as_it_should for row in rows))


if __name__ == "__main__":
    main()
