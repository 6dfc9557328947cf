"""Scores against hand series and slow references, and every built-in one through the kit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from core import registry
from core.errors import UserError
from core.needs import score_kind
from core.scores import dynamic_uncertainty, el2n
from core.scores.base import Batch, TrainedScore
from core.spec import ScoreSpec
from core.testing.scores import ScoreConformance

CPU = torch.device("cpu")


TRAINED = [n for n in registry.names("score") if score_kind(n) == "trained"]


@pytest.mark.parametrize("name", TRAINED, scope="class")
class TestBuiltIn(ScoreConformance):
    @pytest.fixture(autouse=True)
    def _chosen(self, name: str) -> None:
        self.name = name


def section(name: str, preset: str, **over: Any) -> ScoreSpec:
    module: Any = registry.load("score", name)
    settings = {**module.PRESETS[preset], **over}
    return ScoreSpec.model_validate({"name": name, **settings})


def shown(probability: float) -> torch.Tensor:
    """Two logits whose softmax gives class 0 this probability."""
    return torch.tensor([[math.log(probability / (1 - probability)), 0.0]])


def observe_series(score: TrainedScore, series: np.ndarray) -> np.ndarray:
    """Show probabilities ``[T, m]`` of the own label and give the scores ``[m]``."""
    epochs, m = series.shape
    for epoch in range(epochs):
        logits = torch.cat([shown(float(p)) for p in series[epoch]])
        batch = Batch(torch.arange(m), logits, torch.zeros(m, dtype=torch.int64))
        score.observe(epoch, batch)
        score.end_epoch(epoch)
    return score.finalize().numpy()


def slow_windows(series: np.ndarray, first: int, last: int, length: int, ddof: int) -> np.ndarray:
    """Mean over windows that start at first .. last of the deviation within each."""
    deviations = [series[s : s + length].std(0, ddof=ddof) for s in range(first, last + 1)]
    return np.mean(deviations, axis=0)


HAND = np.array([0.1, 0.2, 0.4, 0.3, 0.6, 0.5, 0.7, 0.9, 0.8, 0.6, 0.7, 0.9])[:, None]


@pytest.mark.parametrize(
    ("preset", "starts", "ddof"),
    # T = 12, J = 4: T-J windows, T-J windows, T-J-1 windows
    [("paper", range(0, 8), 1), ("nieth", range(0, 8), 1), ("legacy_se", range(2, 9), 0)],
)
def test_du_windows_of_a_hand_series(preset: str, starts: range, ddof: int) -> None:
    window = {**dynamic_uncertainty.PRESETS[preset]["window"], "length": 4}  # type: ignore[dict-item]  # presets hold objects
    score = dynamic_uncertainty.make(
        1, 2, 12, section("dynamic_uncertainty", preset, window=window), CPU
    )
    assert window["ddof"] == ddof
    expected = slow_windows(HAND, starts[0], starts[-1], 4, ddof)
    np.testing.assert_allclose(observe_series(score, HAND), expected, rtol=1e-5)


def test_du_by_hand() -> None:
    """Windows (.2 .4) (.4 .8): biased deviations .1, .2, mean .15; unbiased root 2 larger."""
    series = np.array([[0.2], [0.4], [0.8]])
    for ddof, expected in [(0, 0.15), (1, 0.15 * math.sqrt(2))]:
        window = {"length": 2, "ddof": ddof}
        spec = section("dynamic_uncertainty", "paper", window=window)
        score = dynamic_uncertainty.make(1, 2, 3, spec, CPU)
        assert observe_series(score, series)[0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("preset", ["paper", "nieth", "legacy_se"])
@pytest.mark.parametrize("epochs", [12, 13, 30])
def test_du_streaming_equals_the_whole_trajectory(preset: str, epochs: int) -> None:
    series = np.random.default_rng(epochs).uniform(0.01, 0.99, (epochs, 25))
    spec = section("dynamic_uncertainty", preset)
    assert spec.window is not None
    score = dynamic_uncertainty.make(25, 2, epochs, spec, CPU)
    last = epochs - 10 - int(spec.window.drop_last)
    expected = slow_windows(series, spec.window.skip, last, 10, spec.window.ddof)
    np.testing.assert_allclose(observe_series(score, series), expected, rtol=1e-4)


def test_du_ignores_an_epoch_that_was_cut_short() -> None:
    series = np.random.default_rng(0).uniform(0.01, 0.99, (6, 1))
    spec = section("dynamic_uncertainty", "legacy_se", window={"length": 3, "ddof": 0})
    whole, cut = (dynamic_uncertainty.make(1, 2, 6, spec, CPU) for _ in range(2))
    expected = observe_series(whole, series)
    observe_series(cut, series)
    cut.observe(6, Batch(torch.tensor([0]), shown(0.99), torch.tensor([0])))
    np.testing.assert_array_equal(cut.finalize().numpy(), expected)


@pytest.mark.parametrize(("preset", "needed"), [("paper", 11), ("nieth", 11), ("legacy_se", 12)])
def test_du_needs_enough_epochs(preset: str, needed: int) -> None:
    spec = section("dynamic_uncertainty", preset)
    dynamic_uncertainty.make(5, 2, needed, spec, CPU)
    with pytest.raises(UserError, match=f"needs {needed} epochs, the training has {needed - 1}"):
        dynamic_uncertainty.make(5, 2, needed - 1, spec, CPU)


def test_du_memory_beyond_its_window_is_within_64_bytes() -> None:
    for preset in dynamic_uncertainty.PRESETS:
        spec = section("dynamic_uncertainty", preset)
        assert spec.window is not None
        score = dynamic_uncertainty.make(1000, 10, 30, spec, CPU)
        size = sum(t.numel() * t.element_size() for t in score.state_dict().values())
        assert size / 1000 - 4 * spec.window.length <= 64


def slow_el2n(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    values = []
    for row, label in zip(logits, targets, strict=True):
        e = np.exp(row - row.max())
        p = e / e.sum()
        p[label] -= 1
        values.append(math.sqrt(sum(v * v for v in p)))
    return np.array(values)


def test_el2n_by_hand() -> None:
    """p = (.7, .3), label 1: the error is (.7, -.7), its length .7 root 2."""
    score = el2n.make(1, 2, 10, section("el2n", "paper"), CPU)
    batch = Batch(torch.tensor([0]), shown(0.7), torch.tensor([1]))
    score.observe(9, batch)
    assert score.finalize().item() == pytest.approx(0.7 * math.sqrt(2), rel=1e-6)


@pytest.mark.parametrize(("preset", "read"), [("paper", [9]), ("ccs", range(10)), ("dual", [20])])
def test_el2n_sums_the_epochs_that_are_read(preset: str, read: Any) -> None:
    rng = np.random.default_rng(0)
    logits, targets = rng.normal(0, 3, (24, 15, 6)), rng.integers(0, 6, 15)
    score = el2n.make(15, 6, 24, section("el2n", preset), CPU)
    for epoch in range(24):
        shown_now = torch.from_numpy(logits[epoch])
        score.observe(epoch, Batch(torch.arange(15), shown_now, torch.from_numpy(targets)))
        score.end_epoch(epoch)
    expected = sum(slow_el2n(logits[e], targets) for e in read)
    np.testing.assert_allclose(score.finalize().numpy(), expected, rtol=1e-5)


def test_el2n_keeps_tiny_errors_apart() -> None:
    """Easy samples must still be ranked: squares of numbers near one would lose them."""
    score = el2n.make(2, 2, 10, section("el2n", "paper"), CPU)
    logits = torch.tensor([[9.0, -1.0], [10.0, -1.0]])
    score.observe(9, Batch(torch.arange(2), logits, torch.zeros(2, dtype=torch.int64)))
    first, second = score.finalize().tolist()
    assert first == pytest.approx(math.sqrt(2) / (1 + math.exp(10)), rel=1e-2)
    assert second == pytest.approx(math.sqrt(2) / (1 + math.exp(11)), rel=1e-2)


def test_el2n_refuses_epochs_beyond_the_run() -> None:
    with pytest.raises(UserError, match="reads epoch 20"):
        el2n.make(5, 2, 20, section("el2n", "dual"), CPU)
    with pytest.raises(UserError, match="span"):
        el2n.make(5, 2, 20, section("el2n", "dual", span=0), CPU)


def test_probabilities_from_bfloat16_logits_are_float32() -> None:
    logits = torch.randn(4, 3).bfloat16()
    batch = Batch(torch.arange(4), logits, torch.zeros(4, dtype=torch.int64))
    assert batch.probs.dtype == batch.true_probs.dtype == torch.float32
    torch.testing.assert_close(batch.probs, torch.softmax(logits.float(), 1))
