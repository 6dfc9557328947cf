"""Conformance kit of trained scores.

Register the plug-in (entry point ``prunectl.scores``, or a file in ``core/scores``), then::

    class TestMine(ScoreConformance):
        name = "mine"
        epochs = 12          # enough for all its presets; those with a span get what it needs
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from core import registry
from core.errors import UserError
from core.scores.base import Batch, TrainedScore
from core.spec import ScoreSpec
from core.training.recorder import MODES
from core.training.truncation import Truncation

CPU = torch.device("cpu")
SLACK = 64
"""Bytes of state that may not depend on the number of samples (counters)."""


class ScoreConformance:
    """Inherit and name the plug-in; pytest finds the tests."""

    name: str
    epochs: int = 30
    m: int = 40
    classes: int = 4

    def test_it_says_which_end_is_kept(self) -> None:
        constants = registry.describe("score", self.name).constants
        assert constants.get("DIRECTION") in ("high", "low")
        for preset in self._presets():
            assert self._make(preset).direction == constants["DIRECTION"]

    def test_presets_are_complete_sections(self) -> None:
        assert self._presets(), "a score needs at least one preset: PRESETS = {name: {...}}"
        for preset in self._presets():
            assert self._section(preset).record in MODES

    def test_it_gives_one_finite_number_per_sample(self) -> None:
        for preset in self._presets():
            values = self._watched(preset)
            assert values.shape == (self.m,)
            assert values.dtype == torch.float32
            assert bool(values.isfinite().all())
            assert float(values.std()) > 0, "all samples got the same score"

    def test_the_order_within_an_epoch_does_not_matter(self) -> None:
        for preset in self._presets():
            torch.testing.assert_close(
                self._watched(preset, batch=7), self._watched(preset, batch=self.m, turned=True)
            )

    def test_a_sample_s_score_depends_on_that_sample_alone(self) -> None:
        for preset in self._presets():
            changed = self._watched(preset, disturb=3)
            before = self._watched(preset)
            others = torch.arange(self.m) != 3
            torch.testing.assert_close(changed[others], before[others])
            assert changed[3] != before[3]

    def test_it_continues_from_its_state_bit_for_bit(self) -> None:
        for preset in self._presets():
            whole, epochs = self._watched(preset), self._epochs(preset)
            for epoch in range(0, epochs, max(5, epochs // 6)):
                assert torch.equal(self._watched(preset, restart=epoch), whole)

    def test_a_score_for_fewer_epochs_takes_over_its_state(self) -> None:
        """So that validation can end it early: ``score.until``."""
        for preset in self._presets():
            if int(self._presets()[preset].get("epoch", 0)) < 0:
                continue  # counted from the end, which has to be known from the start
            epochs = self._epochs(preset)
            for last in range(0, epochs, max(1, epochs // 7)):
                try:
                    self._make(preset, last + 1)
                except UserError:
                    continue  # too few epochs for it
                assert torch.equal(self._ended(preset, last), self._watched(preset, of=last + 1))

    def test_its_state_is_tensors_of_the_stated_size(self) -> None:
        for preset in self._presets():
            score = self._make(preset)
            state = score.state_dict()
            assert all(isinstance(value, Tensor) for value in state.values())
            size = sum(value.numel() * value.element_size() for value in state.values())
            assert size <= score.bytes_per_sample * self.m + SLACK

    def _presets(self) -> dict[str, dict[str, Any]]:
        presets = registry.describe("score", self.name).constants.get("PRESETS", {})
        return {name: dict(settings) for name, settings in presets.items()}

    def _section(self, preset: str) -> ScoreSpec:
        settings = self._presets()[preset]
        own = registry.param_names("score", self.name)
        options = {k: v for k, v in settings.items() if k in own}
        filled = registry.validate_params("score", self.name, options)
        return ScoreSpec.model_validate({"name": self.name, **settings, **filled})

    def _epochs(self, preset: str) -> int:
        settings = self._presets()[preset]
        return max(self.epochs, int(settings.get("epoch", 0)) + int(settings.get("span", 0)))

    def _make(self, preset: str, epochs: int | None = None) -> TrainedScore:
        module: Any = registry.load("score", self.name)
        section, length = self._section(preset), epochs or self._epochs(preset)
        made: TrainedScore = module.make(self.m, self.classes, length, section, CPU)
        return made

    def _ended(self, preset: str, last: int) -> Tensor:
        """Scores that end with the epoch ``last`` of a training that goes on."""
        until = Truncation(lambda epochs: self._make(preset, epochs))
        self._watched(preset, until=until, best=last)
        return until.finalize()

    def _watched(
        self,
        preset: str,
        *,
        batch: int = 16,
        turned: bool = False,
        disturb: int | None = None,
        restart: int | None = None,
        of: int | None = None,
        until: Truncation | None = None,
        best: int = 0,
    ) -> Tensor:
        """Scores of a made-up training: ``turned`` goes through each epoch backwards, ``disturb``
        changes what one sample shows, ``restart`` goes through a saved state inside an epoch. There
        are ``of`` epochs, and ``until`` is told that the epoch ``best`` is the best one."""
        made_up = torch.Generator().manual_seed(0)
        targets = torch.randint(self.classes, (self.m,), generator=made_up)
        score = self._make(preset, of)
        for epoch in range(of or self._epochs(preset)):
            logits = torch.randn(self.m, self.classes, generator=made_up)
            features = torch.randn(self.m, 8, generator=made_up)
            if disturb is not None:
                logits[disturb] = logits[disturb].flip(0) * (1 + epoch % 3)
            order = torch.randperm(self.m, generator=made_up)
            order = order.flip(0) if turned else order
            for at in range(0, self.m, batch):
                ids = order[at : at + batch]
                if epoch == restart and at == batch:
                    score = self._restored(preset, score)
                score.observe(epoch, Batch(ids, logits[ids], targets[ids], features[ids]))
            if until is not None:
                until.consider(epoch, 1.0 if epoch == best else -torch.inf, score)
            score.end_epoch(epoch)
        return score.finalize()

    def _restored(self, preset: str, score: TrainedScore) -> TrainedScore:
        state = {name: value.clone() for name, value in score.state_dict().items()}
        fresh = self._make(preset)
        fresh.load_state_dict(state)
        return fresh
