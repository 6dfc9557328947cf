"""Generated pictures keep what their truth column says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.data import procedural
from core.data.bank import Dataset, targets_digest
from core.data.prepare import prepare_dataset
from core.data.procedural import Params, Scene, class_counts, describe_samples
from core.errors import UserError
from core.testing.data import PlainDataSpec

CLASSES = 4


def _spec(n: int = 600, seed: int = 0, **params: Any) -> PlainDataSpec:
    given = {"classes": CLASSES, "n_test": 80, **params}
    return PlainDataSpec("procedural", n=n, size=16, seed=seed, params=given)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return prepare_dataset(_spec(), tmp_path_factory.mktemp("procedural"))


def test_shares_are_exact_and_the_truth_travels(dataset: Dataset) -> None:
    truth, targets = dataset.train.truth, dataset.train.targets
    assert truth is not None and len(truth) == 600
    assert truth["mislabelled"].sum() == 24  # 4% of 600
    assert np.array_equal(targets != truth["label"], truth["mislabelled"])
    assert np.bincount(truth["label"]).tolist() == [150] * CLASSES
    _, members = np.unique(truth["group"][truth["group"] >= 0], return_counts=True)
    assert members.tolist() == [5] * 12  # 10% of 150 is 3 groups of 5 in each of 4 classes
    assert 40 <= (truth["other"] >= 0).sum() <= 80
    assert not np.any(truth["other"] == truth["label"])
    assert np.array_equal(truth["rare"], truth["mode"] == 2)
    assert truth["ambiguity"].max() <= 0.5 and truth["noise"].max() <= 0.2


def test_the_test_set_is_balanced_and_rightly_labelled(dataset: Dataset) -> None:
    truth = dataset.test.truth
    assert truth is not None and np.array_equal(truth["label"], dataset.test.targets)
    assert not truth["mislabelled"].any() and (truth["group"] == -1).all()
    assert np.bincount(truth["label"]).tolist() == [20] * CLASSES


def test_near_duplicates_look_alike_and_are_not_equal(dataset: Dataset) -> None:
    truth, pixels = dataset.train.truth, np.asarray(dataset.train.inputs, dtype=int)
    assert truth is not None
    members = np.flatnonzero(truth["group"] == 7)
    for field in ("label", "mode", "other", "ambiguity", "noise", "difficulty"):
        assert len(set(truth[field][members].tolist())) == 1
    apart = np.abs(pixels[members] - pixels[members[0]]).mean(axis=(1, 2, 3))
    strangers = np.abs(pixels[members] - pixels[:600:120]).mean(axis=(1, 2, 3))
    assert apart[0] == 0 and (apart[1:] > 1).all()
    assert apart.max() < 8 < 20 < strangers.min()


def test_groups_reach_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(procedural, "BLOCK", 50)
    params = Params(classes=2, duplicates=1.0)
    truth, _ = describe_samples(params, 0, 0, 200)
    pixels = np.concatenate(list(Scene(params, 0, 8).pictures(0, truth))).astype(int)
    for group in range(3):
        members = np.flatnonzero(truth["group"] == group)
        assert len(set((members // 50).tolist())) > 1
        assert np.abs(pixels[members] - pixels[members[0]]).mean() < 8


def test_pictures_are_what_the_formula_says() -> None:
    """Without background, noise and shift: 0.5 + contrast times the weighed patterns."""
    params = Params(classes=3, background=0.0, noise=0.0, shift=0, ambiguous=0.5, looks=1)
    scene = Scene(params, 0, 8)
    truth, _ = describe_samples(params, 0, 1, 30)
    pixels = np.concatenate(list(scene.pictures(1, truth)))
    for row, picture in zip(truth, pixels, strict=True):
        shown = (1 - row["ambiguity"]) * scene.patterns[row["label"], 0]
        if row["other"] >= 0:
            shown = shown + row["ambiguity"] * scene.patterns[row["other"], 0]
        expected = np.clip(0.5 + 0.2 * shown, 0, 1) * 255
        assert np.abs(picture - expected).max() <= 0.51
    assert scene.patterns.mean(axis=(2, 3)) == pytest.approx(0, abs=1e-5)
    assert scene.patterns.std(axis=(2, 3)) == pytest.approx(1, abs=1e-4)


def test_same_seed_same_bytes_other_seed_others(dataset: Dataset, tmp_path: Path) -> None:
    again = prepare_dataset(_spec(), tmp_path)
    assert again.fingerprint == dataset.fingerprint
    assert targets_digest(again.train) == targets_digest(dataset.train)
    assert np.array_equal(again.train.truth, dataset.train.truth)  # type: ignore[arg-type]  # not None here: procedural has it
    assert prepare_dataset(_spec(seed=1), tmp_path).fingerprint != dataset.fingerprint


def test_validation_takes_its_truth_along(tmp_path: Path) -> None:
    spec = PlainDataSpec("procedural", n=60, size=8, validation=10, params={"n_test": 20})
    found = prepare_dataset(spec, tmp_path)
    assert found.validation is not None and found.validation.truth is not None
    for bank in (found.train, found.validation):
        assert bank.truth is not None
        right = ~bank.truth["mislabelled"]
        assert np.array_equal(bank.targets[right], bank.truth["label"][right])


@pytest.mark.parametrize(
    ("count", "classes", "tail", "expected"),
    [
        (10, 3, 1.0, [4, 3, 3]),
        (111, 3, 100.0, [98, 11, 2]),  # 1 + 108 * (100, 10, 1) / 111, rounded to 111
        (3, 3, 50.0, [1, 1, 1]),
    ],
)
def test_class_counts_by_hand(count: int, classes: int, tail: float, expected: list[int]) -> None:
    assert class_counts(count, classes, tail).tolist() == expected


def test_a_long_tail_is_in_train_only(tmp_path: Path) -> None:
    found = prepare_dataset(_spec(tail=20.0, mislabelled=0.0, n=400), tmp_path)
    counts = np.bincount(found.train.targets)
    assert (np.diff(counts) < 0).all() and counts[0] > 10 * counts[-1]
    assert np.bincount(found.test.targets).tolist() == [20] * CLASSES


@pytest.mark.parametrize(
    ("key", "value"),
    [("mislabelled", 1.5), ("classes", 1), ("group", 1), ("n_test", 1), ("tail", 0.5)],
)
def test_options_out_of_bounds_are_named(tmp_path: Path, key: str, value: float) -> None:
    with pytest.raises(UserError, match=f"data.{key} is {value:g}; it has to be"):
        prepare_dataset(_spec(**{key: value}), tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("option", [{"root": Path("/x")}, {"test_fraction": 0.2}, {"n": 3}])
def test_options_without_use_are_refused(tmp_path: Path, option: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=f"data.{next(iter(option))}"):
        prepare_dataset(PlainDataSpec("procedural", **option), tmp_path)
