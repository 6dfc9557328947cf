"""Counts come out exactly: the decimal the user wrote is the one that is rounded."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest
from pydantic import BaseModel

from core.units import (
    Duration,
    Seconds,
    digest,
    n_keep,
    round_share,
    sample_passes,
    steps_per_epoch,
)


def exact(rate: str, total: int) -> int:
    """round((1 - rate) * total), half to even, in rational numbers."""
    return round((1 - Fraction(rate)) * total)


@pytest.mark.parametrize("total", [50_000, 1_281_167])
@pytest.mark.parametrize(
    ("rate", "kept"),
    [
        ("0.1", (45_000, 1_153_050)),
        ("0.2", (40_000, 1_024_934)),
        ("0.5", (25_000, 640_584)),
        ("0.8", (10_000, 256_233)),
        ("0.9", (5_000, 128_117)),
        ("0.95", (2_500, 64_058)),
    ],
)
def test_kept_counts_of_the_usual_rates(rate: str, kept: tuple[int, int], total: int) -> None:
    wanted = kept[total != 50_000]
    assert n_keep(float(rate), total) == wanted == exact(rate, total)


def test_half_goes_to_the_even_count() -> None:
    assert [n_keep(0.5, n) for n in (1, 3, 5, 7)] == [0, 2, 2, 4]
    assert n_keep(0.5, 1_281_167) == 640_584  # 640583.5


@pytest.mark.parametrize(
    ("rate", "total"), [("0.3", 45), ("0.7", 15), ("0.9", 15), ("0.95", 10), ("0.55", 30)]
)
def test_counts_that_floating_point_gets_wrong(rate: str, total: int) -> None:
    assert round((1 - float(rate)) * total) != exact(rate, total)  # what the exactness is for
    assert n_keep(float(rate), total) == exact(rate, total)


def test_counts_agree_with_rational_numbers() -> None:
    rng = random.Random(0)
    for _ in range(5_000):
        rate, total = f"{rng.randrange(1, 10_000) / 10_000:.4f}", rng.randrange(1, 2_000_000)
        assert n_keep(float(rate), total) == exact(rate, total)
        assert round_share(float(rate), total) == round(Fraction(rate) * total)


def test_a_share_rounds_half_to_even() -> None:
    assert round_share(0.3, 1797) == 539
    assert [round_share(0.5, n) for n in (1, 3, 5)] == [0, 2, 2]
    assert round(0.35 * 90) == 31  # 31.5, which floats make 31.499999999999996
    assert round_share(0.35, 90) == 32


@pytest.mark.parametrize(
    ("text", "value", "unit"), [("15ep", 15, "ep"), ("2000st", 2000, "st"), (" 3 ep ", 3, "ep")]
)
def test_a_duration_is_read_with_its_unit(text: str, value: int, unit: str) -> None:
    parsed = Duration.parse(text)
    assert (parsed.value, parsed.unit) == (value, unit)
    assert Duration.parse(str(parsed)) == parsed


@pytest.mark.parametrize("text", [15, "15", "1.5ep", "-3ep", "0ep", "ep", "3 epochs", None, 2.0])
def test_a_duration_without_a_unit_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="duration"):
        Duration.parse(text)


def test_a_time_is_read_in_seconds() -> None:
    assert [Seconds.parse(t).value for t in ("600s", "10m", "1h", "0.5s")] == [600, 600, 3600, 0.5]
    assert Seconds.parse(str(Seconds.parse("90m"))) == Seconds(5400.0)
    for bad in (600, "600", "ten s", "-1s"):
        with pytest.raises(ValueError, match="time with its unit"):
            Seconds.parse(bad)


def test_durations_live_in_models_and_come_back_from_json() -> None:
    class Holder(BaseModel):
        length: Duration
        every: Seconds

    held = Holder.model_validate({"length": "3ep", "every": "10m"})
    assert held.model_dump(mode="json") == {"length": "3ep", "every": "600s"}
    assert Holder.model_validate_json(held.model_dump_json()) == held
    assert Holder.model_json_schema()["properties"]["length"]["type"] == "string"


def slow_passes(steps: int, samples: int, batch: int) -> int:
    """Walk the epochs batch by batch."""
    shown, left = 0, samples
    for _ in range(steps):
        size = min(batch, left)
        shown += size
        left = left - size or samples
    return shown


def test_passes_of_a_number_of_steps_agree_with_walking_the_batches() -> None:
    rng = random.Random(1)
    for _ in range(500):
        samples, batch = rng.randrange(1, 60), rng.randrange(1, 70)
        steps = rng.randrange(0, 40)
        assert sample_passes(steps, samples, batch) == slow_passes(steps, samples, batch)


def test_steps_and_epochs_of_a_duration() -> None:
    assert steps_per_epoch(100, 32) == 4
    assert steps_per_epoch(96, 32) == 3
    assert Duration(3, "ep").steps(100, 32) == 12
    assert Duration(10, "st").steps(100, 32) == 10
    assert Duration(3, "ep").epochs(100, 32) == 3
    assert Duration(11, "st").epochs(100, 32) == 2  # the third is not whole
    assert sample_passes(Duration(3, "ep").steps(100, 32), 100, 32) == 300


def test_a_digest_ignores_key_order_and_nothing_else() -> None:
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})
    others = [{"a": 1, "b": [2, 1]}, {"a": "1", "b": [1, 2]}, {"a": 1}]
    assert len({digest(v) for v in [{"a": 1, "b": [1, 2]}, *others]}) == 4
