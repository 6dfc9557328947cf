"""The recorder: shows a training run to the scores that were asked for.

What is shown is part of a score's preset: ``train_forward``, the logits of the training forward
itself (augmented input, weights before the step); ``extra_forward``, a second forward inside the
step on the un-augmented input in evaluation mode; ``eval_pass``, one pass in evaluation mode over
the scored samples at each epoch's end. The last two cost passes, which are counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from core.models.base import Net
from core.paradigms.base import StepOutput
from core.scores.base import Batch, TrainedScore
from core.training.epoch import TrainBatch
from core.training.evaluate import evaluation_mode, outputs
from core.training.feed import Feed
from core.training.truncation import Truncation

MODES = ("train_forward", "extra_forward", "eval_pass")


@dataclass(frozen=True)
class Recorded:
    """A score and what it is shown (one of MODES)."""

    score: TrainedScore
    record: str
    until: Truncation | None = None
    """Chooses its last epoch by validation, where that is asked for."""


class Recorder:
    """Records ``ids`` (int64 ``[m]``, unique) out of ``n_total`` samples for all ``scores``.

    The scored samples must be the trained ones, or all scores be recorded by ``eval_pass``.
    ``extra_passes`` counts the samples shown only to be recorded.
    """

    def __init__(
        self,
        ids: NDArray[np.int64],
        n_total: int,
        scores: Mapping[str, Recorded],
        device: torch.device,
    ) -> None:
        self.ids = ids
        self.extra_passes = 0
        self._scores = dict(scores)
        self._by_mode = {
            mode: [r.score for r in self._scores.values() if r.record == mode] for mode in MODES
        }
        unknown = {r.record for r in self._scores.values()} - set(MODES)
        if unknown:
            raise ValueError(f"unknown record modes {sorted(unknown)}")
        order = np.argsort(ids)
        ascending = ids[order]
        if len(ids) and (ascending[0] < 0 or ascending[-1] >= n_total or not _unique(ascending)):
            raise ValueError(f"the ids to record must be unique and lie in 0..{n_total - 1}")
        # Not a table over all samples: memory goes with the scored ones, 16 bytes each at most.
        self._ascending = torch.from_numpy(ascending).to(device)
        in_order = bool(np.array_equal(ascending, ids))
        self._order = None if in_order else torch.from_numpy(order).to(device)

    @property
    def judged(self) -> bool:
        """Whether a score ends at an epoch that validation chooses."""
        return any(recorded.until for recorded in self._scores.values())

    def observe_step(
        self, epoch: int, net: Net, feed: Feed, batch: TrainBatch, out: StepOutput
    ) -> None:
        """Called in every training step between forward and update."""
        shown = self._reading("train_forward", epoch)
        extra = self._reading("extra_forward", epoch)
        if not shown and not extra:
            return
        positions = torch.searchsorted(self._ascending, batch.ids)
        if self._order is not None:
            positions = self._order.index_select(0, positions)
        if shown:
            features = None if out.features is None else out.features.detach()
            seen = Batch(positions, out.logits.detach(), batch.y, features)
            for score in shown:
                score.observe(epoch, seen)
        if extra:
            with evaluation_mode(net), feed.compute.autocast():
                features = net.features(feed.normalise(batch.raw))
                seen = Batch(positions, net.head(features), batch.y, features)
            for score in extra:
                score.observe(epoch, seen)
            self.extra_passes += len(batch.y)

    def end_epoch(self, epoch: int, net: Net, feed: Feed, accuracy: float | None = None) -> None:
        """Called after the last step of every whole epoch; ``accuracy`` is that on the validation
        samples, where it chooses."""
        passes = self._reading("eval_pass", epoch)
        if passes:
            done = 0
            for features, logits in outputs(net, feed, self.ids):
                stop = done + len(logits)
                positions = torch.arange(done, stop, device=logits.device)
                ids = torch.from_numpy(self.ids[done:stop]).to(logits.device)
                seen = Batch(positions, logits, feed.targets.index_select(0, ids), features)
                for score in passes:
                    score.observe(epoch, seen)
                done = stop
            self.extra_passes += done
        for recorded in self._scores.values():
            if recorded.until is not None and accuracy is not None:
                recorded.until.consider(epoch, accuracy, recorded.score)
            recorded.score.end_epoch(epoch)

    def _reading(self, mode: str, epoch: int) -> list[TrainedScore]:
        """The scores of a mode that read this epoch."""
        return [s for s in self._by_mode[mode] if s.reads is None or epoch in s.reads]

    def finalize(self) -> dict[str, NDArray[np.float32]]:
        """Every score's values, float32 ``[m]`` in the order of ``ids``."""
        ended = {name: r.until or r.score for name, r in self._scores.items()}
        return {name: found.finalize().float().cpu().numpy() for name, found in ended.items()}

    def state_dict(self) -> dict[str, Any]:
        """State of all scores, for a checkpoint."""
        return {
            "extra_passes": self.extra_passes,
            "scores": {name: r.score.state_dict() for name, r in self._scores.items()},
            "until": {name: r.until.state_dict() for name, r in self._scores.items() if r.until},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what :meth:`state_dict` gave."""
        self.extra_passes = state["extra_passes"]
        for name, recorded in self._scores.items():
            recorded.score.load_state_dict(state["scores"][name])
            if recorded.until is not None:
                recorded.until.load_state_dict(state["until"][name])


class Recorders(Recorder):
    """Several recorders of one training, by name: such as of trained and of other samples."""

    def __init__(self, parts: Mapping[str, Recorder]) -> None:
        self.parts = dict(parts)
        self.extra_passes = 0

    @property
    def judged(self) -> bool:
        """Whether a score of any part ends at an epoch that validation chooses."""
        return any(part.judged for part in self.parts.values())

    def observe_step(
        self, epoch: int, net: Net, feed: Feed, batch: TrainBatch, out: StepOutput
    ) -> None:
        """Show the step to all."""
        for part in self.parts.values():
            part.observe_step(epoch, net, feed, batch, out)
        self._count()

    def end_epoch(self, epoch: int, net: Net, feed: Feed, accuracy: float | None = None) -> None:
        """Tell all; each makes the passes it needs."""
        for part in self.parts.values():
            part.end_epoch(epoch, net, feed, accuracy)
        self._count()

    def finalize(self) -> dict[str, NDArray[np.float32]]:
        """Scores of different samples have no common order: ask each of ``parts``."""
        raise TypeError("finalize the parts")

    def state_dict(self) -> dict[str, Any]:
        """State of all parts, for a checkpoint."""
        return {name: part.state_dict() for name, part in self.parts.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what :meth:`state_dict` gave."""
        for name, part in self.parts.items():
            part.load_state_dict(state[name])
        self._count()

    def _count(self) -> None:
        self.extra_passes = sum(part.extra_passes for part in self.parts.values())


def _unique(ascending: NDArray[np.int64]) -> bool:
    return bool((np.diff(ascending) > 0).all())
