"""Trained scores against a dozen samples by hand, and against loops over a kept trajectory."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from core import registry
from core.errors import UserError
from core.scores._span import epochs_read
from core.scores.base import Batch, TrainedScore
from core.scores.tdds import Tdds
from core.spec import ScoreSpec

CPU = torch.device("cpu")
DOZEN = 12
T, M, C = 40, 15, 5


def made(name: str, m: int, classes: int, epochs: int, preset: str, **over: Any) -> TrainedScore:
    module: Any = registry.load("score", name)
    settings = {**module.PRESETS[preset], **over}
    own = registry.param_names("score", name)
    filled = registry.validate_params(
        "score", name, {k: settings.pop(k) for k in own & {*settings}}
    )
    spec = ScoreSpec.model_validate({"name": name, **settings, **filled})
    score: TrainedScore = module.make(m, classes, epochs, spec, CPU)
    return score


def watch(
    score: TrainedScore, logits: np.ndarray, targets: np.ndarray, features: Any = None
) -> np.ndarray:
    """Show logits ``[T, m, C]`` epoch by epoch in two batches, and give the scores ``[m]``."""
    m = logits.shape[1]
    for epoch, shown in enumerate(torch.from_numpy(logits).float()):
        for ids in (torch.arange(m // 3, m), torch.arange(m // 3)):
            seen = None if features is None else torch.from_numpy(features[epoch]).float()[ids]
            score.observe(epoch, Batch(ids, shown[ids], torch.from_numpy(targets)[ids], seen))
        score.end_epoch(epoch)
    return score.finalize().numpy()


def logs(*own: float) -> np.ndarray:
    """Logits ``[1, m, 2]`` whose softmax gives the label 0 these probabilities."""
    return np.log([[[p, 1 - p] for p in own]])


def trajectory(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(0, 2, (T, M, C)), rng.integers(0, C, M)


def softmax(row: np.ndarray) -> list[float]:
    e = [math.exp(v - max(row)) for v in row]
    return [v / sum(e) for v in e]


ZEROS = np.zeros(DOZEN, dtype=np.int64)


def test_frequency_by_hand() -> None:
    """p = 0.5, 0.9, 0.5, 0.1 has F1 = -0.8i, F2 = 0, F3 = 0.8i; 0.9, 0.1 twice has F2 = 1.6; a
    constant has none; a span of two reads |0.5 - 0.9| only."""
    own = [[0.5, 0.9, 0.3], [0.9, 0.1, 0.3], [0.5, 0.9, 0.3], [0.1, 0.1, 0.3]]
    logits = np.concatenate([logs(*row) for row in own])
    targets = ZEROS[:3]
    score = made("frequency", 3, 2, 4, "training")
    np.testing.assert_allclose(watch(score, logits, targets), [1.6, 1.6, 0], atol=1e-5)
    score = made("frequency", 3, 2, 4, "nieth", span=2)
    np.testing.assert_allclose(watch(score, logits, targets), [0.4, 0.8, 0], atol=1e-5)


def test_frequency_against_a_sum_over_epochs() -> None:
    logits, targets = trajectory()
    p = np.array([[softmax(row)[y] for row, y in zip(shown, targets, strict=True)]
                  for shown in logits])  # fmt: skip
    expected = [
        sum(
            abs(sum(p[t, i] * np.exp(-2j * np.pi * f * t / T) for t in range(T)))
            for f in range(1, T)
        )
        for i in range(M)
    ]
    score = made("frequency", M, C, T, "nieth")
    np.testing.assert_allclose(watch(score, logits, targets), expected, rtol=1e-4)
    with pytest.raises(UserError, match="at least 2"):
        made("frequency", M, C, T, "nieth", span=1)


def test_forgetting_by_hand() -> None:
    """One letter a visit: r right, w wrong; a fall from r to w is one forgetting event."""
    visits = [
        "rrrrrr", "wrrrrr", "rwrrrr", "rwrwrr", "rwrwrw", "wwwwww",
        "wwwwwr", "rrrrrw", "rwwwww", "wrwrwr", "rrwwrr", "wwrrww",
    ]  # fmt: skip
    counts = [0, 0, 1, 2, 3, 6, 0, 1, 1, 2, 1, 1]  # wwwwww was never learned: all six epochs
    logits = np.array([[[v[t] == "r", v[t] == "w"] for v in visits] for t in range(6)], float)
    score = made("forgetting", DOZEN, 2, 6, "paper")
    assert watch(score, logits, ZEROS).tolist() == counts
    legacy = watch(made("forgetting", DOZEN, 2, 6, "legacy_se"), logits, ZEROS)
    assert legacy.tolist() == [
        0 if v == "wwwwww" else c for v, c in zip(visits, counts, strict=True)
    ]


def test_never_learned_samples_rank_first_and_stay_finite() -> None:
    wrong = np.tile([0.0, 1.0], (9, 1, 1))
    flipping = np.array([[[t % 2 == 0, t % 2 == 1]] for t in range(9)], float)
    both = np.concatenate([wrong, flipping], axis=1)
    values = watch(made("forgetting", 2, 2, 9, "paper"), both, ZEROS[:2])
    assert np.isfinite(values).all()
    assert values[0] > values[1] == 4  # as often as nine visits allow


def test_forgetting_is_a_loop_over_visits() -> None:
    logits, targets = trajectory()
    expected = []
    for i in range(M):
        right = [int(np.argmax(logits[t, i])) == targets[i] for t in range(T)]
        events = sum(right[t - 1] and not right[t] for t in range(1, T))
        expected.append(events if any(right) else T)
    assert watch(made("forgetting", M, C, T, "paper"), logits, targets).tolist() == expected


def test_aum_by_hand() -> None:
    """Two epochs of three logits, label 0: mean of z_0 - max(z_1, z_2)."""
    first = [[3, 1, 0], [3, 0, 1], [1, 3, 0], [0, 0, 0], [2, 2, 1], [-1, -2, -3]]
    first += [[5, -5, 0], [0, 4, 4], [1, 0, -9], [-4, 0, -1], [7, 7, 7], [2, 1, 2]]
    second = [[1, 1, 0], [0, 2, 1], [1, 3, 5], [6, 0, 0], [2, 1, 1], [-3, -2, -1]]
    second += [[5, 5, 0], [4, 0, 0], [1, 0, 2], [-4, -6, -8], [8, 7, 7], [0, 1, 2]]
    margins = [[2, 2, -2, 0, 0, 1, 5, -4, 1, -4, 0, 0], [0, -2, -4, 6, 1, -2, 0, 4, -1, 2, 1, -2]]
    logits = np.array([first, second], float)
    score = made("aum", DOZEN, 3, 2, "paper")
    np.testing.assert_allclose(watch(score, logits, ZEROS), np.mean(margins, axis=0))


@pytest.mark.parametrize("preset", ["paper", "ccs"])
def test_aum_reads_all_epochs_not_only_the_last(preset: str) -> None:
    logits, targets = trajectory()

    def margin(t: int, i: int) -> float:
        out = list(logits[t, i]) if preset == "paper" else softmax(logits[t, i])
        return float(out.pop(targets[i])) - max(out)

    expected = [sum(margin(t, i) for t in range(T)) / T for i in range(M)]
    values = watch(made("aum", M, C, T, preset), logits, targets)
    np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-6)
    last = [margin(T - 1, i) for i in range(M)]
    assert np.argsort(values).tolist() != np.argsort(last).tolist()


def test_logit_and_probability_margins_rank_differently() -> None:
    """Both are right; the second's logits lie farther apart, the first's probabilities."""
    logits = np.array([[[4.0, 0.0, -9.0], [5.0, 0.5, 0.5]]])
    by_logits = watch(made("aum", 2, 3, 1, "paper"), logits, ZEROS[:2])
    by_probabilities = watch(made("aum", 2, 3, 1, "ccs"), logits, ZEROS[:2])
    assert by_logits[1] > by_logits[0]
    assert by_probabilities[1] > by_probabilities[0]
    logits = np.array([[[4.0, 0.0, -9.0], [4.2, 0.0, 0.0]]])
    assert np.diff(watch(made("aum", 2, 3, 1, "paper"), logits, ZEROS[:2])) > 0
    assert np.diff(watch(made("aum", 2, 3, 1, "ccs"), logits, ZEROS[:2])) < 0


PROBABILITIES = [0.5, 0.25, 0.75, 0.125, 0.9, 0.1, 0.2, 0.8, 0.6, 0.4, 0.99, 0.01]
LOSSES = [0.693147, 1.386294, 0.287682, 2.079442, 0.105361, 2.302585]
LOSSES += [1.609438, 0.223144, 0.510826, 0.916291, 0.010050, 4.605170]
ENTROPIES = [0.693147, 0.562335, 0.562335, 0.376770, 0.325083, 0.325083]
ENTROPIES += [0.500402, 0.500402, 0.673012, 0.673012, 0.056002, 0.056002]


@pytest.mark.parametrize(("name", "expected"), [("loss", LOSSES), ("entropy", ENTROPIES)])
def test_scores_of_the_final_net_by_hand(name: str, expected: list[float]) -> None:
    earlier = np.zeros((3, DOZEN, 2))
    logits = np.concatenate([earlier, logs(*PROBABILITIES)])
    values = watch(made(name, DOZEN, 2, 4, "final"), logits, ZEROS)
    np.testing.assert_allclose(values, expected, atol=1e-6)


@pytest.mark.parametrize("name", ["loss", "entropy", "mean_probability"])
def test_means_over_a_span_are_loops(name: str) -> None:
    logits, targets = trajectory()

    def value(t: int, i: int) -> float:
        p = softmax(logits[t, i])
        if name == "entropy":
            return -sum(v * math.log(v) for v in p)
        return -math.log(p[targets[i]]) if name == "loss" else p[targets[i]]

    preset = "all" if name == "mean_probability" else "final"
    score = made(name, M, C, T, preset, epoch=-7, span=5)
    expected = [sum(value(t, i) for t in range(T - 7, T - 2)) / 5 for i in range(M)]
    np.testing.assert_allclose(watch(score, logits, targets), expected, rtol=1e-4)


def test_loss_keeps_easy_samples_apart_and_hard_ones_finite() -> None:
    logits = np.array([[[30.0, 0.0], [31.0, 0.0], [-200.0, 0.0]]])
    easy, easier, hard = watch(made("loss", 3, 2, 1, "final"), logits, ZEROS[:3])
    assert easy > easier > 0
    assert hard == pytest.approx(200)


def test_mean_probability_by_hand() -> None:
    logits = np.concatenate([logs(*PROBABILITIES), logs(*([0.5] * DOZEN))])
    values = watch(made("mean_probability", DOZEN, 2, 2, "all"), logits, ZEROS)
    np.testing.assert_allclose(values, [(p + 0.5) / 2 for p in PROBABILITIES], rtol=1e-5)


def test_grand_by_hand() -> None:
    """Two classes: |e| = (1-p) root 2; |h| of 0, root 3 and root 8 make the factor 1, 2 and 3."""
    lengths = [0.0, math.sqrt(3), math.sqrt(8)] * 4
    features = np.zeros((1, DOZEN, 4))
    features[0, :, 2] = lengths
    score = made("grand", DOZEN, 2, 1, "last_layer", epoch=0)
    values = watch(score, logs(*PROBABILITIES), ZEROS, features)
    factors = [1, 2, 3] * 4
    expected = [f * (1 - p) * math.sqrt(2) for p, f in zip(PROBABILITIES, factors, strict=True)]
    np.testing.assert_allclose(values, expected, rtol=1e-5)


def test_grand_is_the_length_of_the_head_s_gradient() -> None:
    """Backward through a linear head, one sample at a time."""
    logits, targets = trajectory()
    features = np.random.default_rng(1).normal(0, 1, (T, M, 3))
    head = torch.nn.Linear(3, C)
    shown = head(torch.from_numpy(features).float()).detach().numpy()
    expected = np.zeros(M)
    for t in (4, 5):
        for i in range(M):
            head.zero_grad()
            out = head(torch.from_numpy(features[t, i : i + 1]).float())
            torch.nn.functional.cross_entropy(out, torch.tensor([targets[i]])).backward()
            gradients = [p.grad.flatten() for p in head.parameters() if p.grad is not None]
            expected[i] += float(torch.cat(gradients).norm()) / 2
    score = made("grand", M, C, T, "last_layer", epoch=4, span=2)
    np.testing.assert_allclose(watch(score, shown, targets, features), expected, rtol=1e-4)


def test_grand_without_features_says_what_to_do() -> None:
    score = made("grand", 2, 2, 1, "last_layer", epoch=0)
    with pytest.raises(UserError, match="use score el2n"):
        watch(score, logs(0.5, 0.5), ZEROS[:2])


def slow_tdds(logits: np.ndarray, epochs: range, length: int, decay: float) -> np.ndarray:
    """The formula on the whole trajectory: windows first, then the weighted sum."""
    p = [[softmax(row) for row in logits[t]] for t in epochs]
    total = len(p)
    values = np.zeros(logits.shape[1])
    for i in range(logits.shape[1]):
        for k in range(total - length + 1):
            a = [
                sum(
                    abs(new * (math.log(new + 1e-8) - math.log(old + 1e-8)))
                    for new, old in zip(p[t + 1][i], p[t][i], strict=True)
                )
                for t in range(k, k + length - 1)
            ]
            mean = sum(a) / len(a)
            deviation = math.sqrt(sum((v - mean) ** 2 for v in a))
            values[i] += decay * (1 - decay) ** (total - length - k) * deviation
    return values


def test_tdds_by_hand() -> None:
    """J = 3: two values a and b in a window deviate by |a - b| / root 2. With p of the
    label and q = 1 - p, a step from even odds gives |p log 2p| + |q log 2q|, standing still 0."""
    step = [abs(p * math.log(2 * p)) + abs((1 - p) * math.log(2 - 2 * p)) for p in PROBABILITIES]
    logits = np.concatenate([logs(*[0.5] * DOZEN), logs(*PROBABILITIES), logs(*PROBABILITIES)])
    window = {"length": 3}
    one = watch(made("tdds", DOZEN, 2, 3, "paper", window=window, span=3), logits, ZEROS)
    np.testing.assert_allclose(one, 0.9 * np.array(step) / math.sqrt(2), rtol=1e-4, atol=1e-7)
    # a fourth epoch without a move: the window before weighs 0.09, the last, of (0, 0), nothing
    again = np.concatenate([logits, logs(*PROBABILITIES)])
    two = watch(made("tdds", DOZEN, 2, 4, "paper", window=window, span=4), again, ZEROS)
    np.testing.assert_allclose(two, 0.09 * np.array(step) / math.sqrt(2), rtol=1e-4, atol=1e-7)
    assert PROBABILITIES[0] == 0.5 and one[0] == pytest.approx(0, abs=1e-7)
    assert one[10] == pytest.approx(0.9 * 0.715386 / math.sqrt(2), rel=1e-4)  # from 0.5 to 0.99


@pytest.mark.parametrize(
    ("first", "span", "length"), [(0, 30, 10), (-10, 10, 10), (3, 17, 4), (0, 0, 7)]
)
def test_tdds_streaming_is_the_formula_on_the_trajectory(
    first: int, span: int, length: int
) -> None:
    logits, targets = trajectory()
    score = made("tdds", M, C, T, "paper", epoch=first, span=span, window={"length": length})
    epochs = epochs_read({"epoch": first, "span": span}, T)
    expected = slow_tdds(logits, epochs, length, 0.9)
    np.testing.assert_allclose(watch(score, logits, targets), expected, rtol=1e-3)


def test_tdds_reads_the_end_it_was_told_to() -> None:
    logits, targets = trajectory()
    last = watch(made("tdds", M, C, T, "legacy_se"), logits, targets)
    np.testing.assert_allclose(last, slow_tdds(logits, range(30, 40), 10, 0.9), rtol=1e-3)
    first = watch(made("tdds", M, C, T, "legacy_se", epoch=0), logits, targets)
    np.testing.assert_allclose(first, slow_tdds(logits, range(10), 10, 0.9), rtol=1e-3)
    assert np.argsort(first).tolist() != np.argsort(last).tolist()


def test_tdds_windows_slide() -> None:
    """A burst in the middle is only seen by windows that have left the first epochs behind."""
    quiet = np.tile(logs(0.5, 0.5), (12, 1, 1))
    quiet[6, 0] = np.log([0.9, 0.1])
    score = made("tdds", 2, 2, 12, "paper", window={"length": 4}, span=12)
    values = watch(score, quiet, ZEROS[:2])
    assert values[0] > 1e-6 > values[1]


def test_tdds_decay_is_a_constant_with_a_single_window() -> None:
    logits, targets = trajectory()
    half = watch(made("tdds", M, C, T, "legacy_se", decay=0.5), logits, targets)
    most = watch(made("tdds", M, C, T, "legacy_se"), logits, targets)
    np.testing.assert_allclose(half / 0.5, most / 0.9, rtol=1e-4)


def test_tdds_reads_no_labels() -> None:
    logits, targets = trajectory()
    same = watch(made("tdds", M, C, T, "paper"), logits, targets)
    other = watch(made("tdds", M, C, T, "paper"), logits, (targets + 1) % C)
    np.testing.assert_array_equal(same, other)


def test_tdds_in_half_precision_ranks_as_in_full() -> None:
    logits, targets = trajectory()
    half = Tdds(M, C, range(30), 10, 0.9, CPU, torch.float16)
    values = watch(half, logits * 4, targets)  # probabilities down to 1e-16
    exact = slow_tdds(logits * 4, range(30), 10, 0.9)
    np.testing.assert_allclose(values, exact, rtol=0.02)
    assert half.bytes_per_sample == 2 * C + 4 * 10


def test_tdds_keeps_two_bytes_a_class_where_the_table_is_large() -> None:
    large = made("tdds", 20_000, 1000, 30, "paper")
    held = sum(t.numel() * t.element_size() for t in large.state_dict().values())
    assert held == 20_000 * (2 * 1000 + 4 * 10)
    assert made("tdds", 100, 1000, 30, "paper").bytes_per_sample == 4 * 1000 + 4 * 10


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"window": {"length": 2}}, "give 3 or more"),
        ({"decay": 0.0}, "score.decay"),
        ({"span": 31}, "reads 31 epochs"),
        ({"span": 9}, "needs at least 10 epochs and reads 9"),
        ({"epoch": -31}, "from epoch -31"),
        ({"span": -1}, "score.span of tdds is -1"),
    ],
)
def test_impossible_tdds_settings_are_refused(over: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        made("tdds", 4, 2, 30, "paper", **over)


def test_dual_by_hand() -> None:
    """J = 2: p and q in a window have the unbiased deviation |p - q| / root 2, the mean their half;
    two windows of (.5, p), (p, p), the second of which does not deviate."""
    logits = np.concatenate([logs(*[0.5] * DOZEN), logs(*PROBABILITIES), logs(*PROBABILITIES)])
    window = {"length": 2, "ddof": 1}
    values = watch(made("dual", DOZEN, 2, 3, "all", window=window), logits, ZEROS)
    expected = [10 * abs(p - 0.5) / math.sqrt(2) * (1 - (p + 0.5) / 2) / 2 for p in PROBABILITIES]
    np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("preset", "span"), [("cifar", 30), ("all", 40)])
def test_dual_is_the_mean_over_all_windows_of_the_first_epochs(preset: str, span: int) -> None:
    logits, targets = trajectory()
    p = np.array([[softmax(logits[t, i])[targets[i]] for i in range(M)] for t in range(span)])
    windows = [p[k : k + 10] for k in range(span - 10 + 1)]  # T-J+1 of them
    expected = np.mean([10 * w.std(0, ddof=1) * (1 - w.mean(0)) for w in windows], axis=0)
    values = watch(made("dual", M, C, T, preset), logits, targets)
    np.testing.assert_allclose(values, expected, rtol=1e-4)


def test_an_epoch_that_was_cut_short_is_not_read() -> None:
    logits, targets = trajectory()
    for name in ("forgetting", "aum", "tdds", "dual", "mean_probability"):
        preset = next(iter(registry.load("score", name).PRESETS))
        scores = [made(name, M, C, T, preset) for _ in range(2)]
        whole, cut = (watch(score, logits, targets) for score in scores)
        shown = torch.from_numpy(-logits[0]).float()[:4]
        scores[1].observe(T, Batch(torch.arange(4), shown, torch.from_numpy(targets)[:4]))
        assert np.array_equal(scores[1].finalize().numpy(), whole), name
        assert np.array_equal(cut, whole)


@pytest.mark.parametrize(
    ("section", "epochs"),
    [
        ({}, range(20)), ({"epoch": 3}, range(3, 20)), ({"epoch": -1, "span": 1}, range(19, 20)),
        ({"epoch": 0, "span": 0}, range(20)), ({"epoch": 0, "span": 30}, range(20)),
        ({"epoch": 15, "span": 3}, range(15, 18)), ({"epoch": -10, "span": 10}, range(10, 20)),
    ],
)  # fmt: skip
def test_which_epochs_a_section_reads(section: dict[str, int], epochs: range) -> None:
    assert epochs_read(section, 20) == epochs
