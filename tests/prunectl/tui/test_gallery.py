"""Which samples stand on which side, against a plain look at the run's files."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from digits_bank import recorded, truth

from core.artifacts import read_dataset, read_kept, read_scores
from core.data.locations import default_cache_root
from core.data.prepare import prepared_folder
from core.runs import Run
from prunectl.tui.gallery import order as ordering
from prunectl.tui.gallery.collection import Collection
from prunectl.tui.gallery.page import Page, Side, Wish, side_title

SCORE = "dynamic_uncertainty"


@pytest.fixture
def collection(finished: Run) -> Collection:
    return Collection(finished)


def _ids(page: Page) -> tuple[tuple[int, ...], tuple[int, ...]]:
    left, right = page.sides
    return left.ids, right.ids


def test_the_ends_are_the_largest_and_smallest_scores(collection: Collection) -> None:
    scores = read_scores(collection.run, 1)[SCORE]
    left, right = _ids(collection.page(Wish(seed=1), 5))
    assert sorted(scores[list(left)], reverse=True) == sorted(scores, reverse=True)[:5]
    assert sorted(scores[list(right)]) == sorted(scores)[:5]


def test_a_score_whose_low_end_is_kept_is_turned_round(collection: Collection) -> None:
    high = _ids(collection.page(Wish(), 5))
    turned = Collection(collection.run)
    turned.keeps_high = False
    low = _ids(turned.page(Wish(), 5))
    assert set(low[0]) == set(high[1]) and set(low[1]) == set(high[0])


def test_pages_follow_each_other_and_end(collection: Collection) -> None:
    one, two = (_ids(collection.page(Wish(page=p), 4))[0] for p in (0, 1))
    assert one + two == _ids(collection.page(Wish(), 8))[0]
    last = collection.page(Wish(page=10_000), 100)
    assert last.wish.page == last.pages - 1 == 12
    assert len(last.sides[0].ids) == 1258 - 12 * 100


def test_a_class_alone(collection: Collection) -> None:
    _, labels = truth(collection.run)
    page = collection.page(Wish(label=3), 7)
    assert {int(labels[i]) for side in _ids(page) for i in side} == {3}
    assert page.sides[0].total == int((labels == 3).sum())
    assert collection.classes() == 10


def test_kept_and_dropped_are_the_run_s(collection: Collection) -> None:
    wish = Wish(view="kept", seed=2, method="random", rate=0.7)
    page = collection.page(wish, 2000)
    kept = read_kept(collection.run, "s2-random-random-r0.7000")
    assert sorted(page.sides[0].ids) == kept.tolist()
    assert sorted(page.sides[1].ids) == sorted(set(range(1258)) - set(kept.tolist()))
    assert page.heading == "random, pruned 0.70"


def test_a_rate_that_is_not_there_is_the_nearest(collection: Collection) -> None:
    assert collection.mended(Wish(method="knn", rate=0.9)).rate == 0.7
    assert collection.mended(Wish()).method == "knn"
    assert collection.mended(Wish(seed=77)).seed == 0


def test_kept_by_class_is_said(collection: Collection) -> None:
    _, labels = truth(collection.run)
    kept = labels[read_kept(collection.run, "s0-random-random-r0.3000")]
    note = collection.page(Wish(view="kept", method="random", rate=0.3), 3).note
    share = 100 * (kept == 4).sum() / (labels == 4).sum()
    assert f"4 {share:.0f}%" in note


def test_of_many_classes_the_ends_are_said(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    wish = Wish(view="kept", method="random", rate=0.3)
    every = collection.page(wish, 3).note.removeprefix("kept by class: ").split("  ")
    monkeypatch.setattr("prunectl.tui.gallery.collection._FEW", 5)
    note = collection.page(wish, 3).note
    least, most = note.removeprefix("kept by class, least: ").split("; most: ")
    shares = sorted(int(text.split()[1][:-1]) for text in every)
    assert [int(text.split()[1][:-1]) for text in least.split("  ")] == shares[:3]
    assert [int(text.split()[1][:-1]) for text in most.split("  ")] == shares[:-4:-1]


def test_disagreement_compares_ranks_of_samples_not_scored(collection: Collection) -> None:
    columns = read_scores(collection.run, 0)
    own = np.flatnonzero(columns["source"] == "extrapolated")
    predicted, full = columns[f"{SCORE}_predicted"][own], columns[f"{SCORE}_full"][own]

    # Slowly: how many lie below, and half of the equal others.
    def rank(values: np.ndarray) -> np.ndarray:
        return np.array([(v > values).sum() + ((v == values).sum() - 1) / 2 for v in values])

    off = rank(predicted) - rank(full)
    left, right = _ids(collection.page(Wish(view="disagreement"), 10))
    by_id = dict(zip(own.tolist(), off.tolist(), strict=True))
    assert [by_id[i] for i in left] == sorted(off.tolist(), reverse=True)[:10]
    assert [by_id[i] for i in right] == sorted(off.tolist())[:10]


def test_without_full_scores_it_says_what_would_measure_them(finished: Run) -> None:
    file = finished.path / "scores" / "seed-0.parquet"
    pq.write_table(pq.read_table(file).drop_columns([f"{SCORE}_full"]), file)
    page = Collection(finished).page(Wish(view="disagreement"), 5)
    assert not page.sides and "reference: full" in page.trouble


def test_the_pictures_are_those_of_the_ids(collection: Collection) -> None:
    inputs, _ = truth(collection.run)
    side = collection.page(Wish(page=3), 6).sides[1]
    assert side.images is not None and side.images.dtype == np.uint8
    assert (side.images == inputs[list(side.ids)]).all()


def test_without_prepared_data_there_are_ids_and_words(
    collection: Collection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PRUNECTL_DATA", str(tmp_path / "none"))
    page = collection.page(Wish(), 5)
    assert "not prepared" in page.trouble
    assert len(page.sides[0].ids) == 5 and page.sides[0].images is None


def test_other_data_than_the_run_saw_is_not_shown(finished: Run) -> None:
    summary = finished.summary_file
    summary.write_text(summary.read_text().replace('"fingerprint": "2', '"fingerprint": "0'))
    page = Collection(finished).page(Wish(), 5)
    assert page.sides[0].images is None and "not what this run saw" in page.trouble


def test_vectors_have_no_pictures(collection: Collection) -> None:
    folder = prepared_folder(collection.spec.data, default_cache_root())
    dataset = read_dataset(folder)
    vectors = replace(dataset.train, inputs=np.zeros((len(dataset.train), 5), dtype=np.float32))
    collection._dataset = replace(dataset, train=vectors)
    page = collection.page(Wish(), 5)
    assert page.trouble == "no pictures: samples are vectors of 5 numbers"
    assert page.sides[0].images is None and len(page.sides[0].ids) == 5


def test_a_run_without_scores_says_so(tmp_path: Path) -> None:
    run = recorded("diverged", tmp_path)
    assert Collection(run).page(Wish(), 5).trouble == f"{run.id} has no scores yet"


def test_a_broken_file_is_words(collection: Collection) -> None:
    kept = collection.run.path / "kept"
    (kept / "s0-knn-class_balanced-r0.3000.npy").write_bytes(b"no array")
    page = collection.page(Wish(view="kept", rate=0.3), 5)
    assert "cannot show the samples" in page.trouble
    assert collection.page(replace(page.wish, rate=0.7), 5).trouble == ""


def test_no_kept_sets_yet(collection: Collection) -> None:
    shutil.rmtree(collection.run.path / "kept")
    assert "no kept samples" in collection.page(Wish(view="kept"), 5).trouble


def test_titles_shrink() -> None:
    side = Side("dropped", 1258, 10, (1, 2))
    assert side_title(side) == "dropped 11-12 of 1,258"
    assert side_title(side, 18) == "dropped of 1,258"
    assert side_title(side, 8) == "dropped"
    assert side_title(Side("kept")) == "kept: none"


@pytest.mark.parametrize("most", [1, 9, 50, 400])
def test_the_first_of_an_order_are_those_of_a_whole_sort(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ordering, "_PIECE", 32)
    rng = np.random.default_rng(0)
    values = rng.integers(0, 20, 300).astype(np.float32)  # many ties
    values[rng.random(300) < 0.1] = np.nan
    chosen = rng.random(300) < 0.7
    own = [i for i in range(300) if chosen[i] and np.isfinite(values[i])]
    high = sorted(own, key=lambda i: (-values[i], i))
    found = ordering.first_by("", values, chosen, most, 1)
    assert (found.ids.tolist(), found.total) == (high[:most], len(own))
    low = ordering.first_by("", values, chosen, most, -1, last=True)
    assert low.ids.tolist() == high[::-1][:most]
    order = rng.permutation(300)
    among = ordering.first_among("", order, chosen, most)
    assert among.ids.tolist() == [i for i in order if chosen[i]][:most]
    assert among.total == chosen.sum()


def test_shares_are_those_counted_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering, "_PIECE", 16)
    rng = np.random.default_rng(1)
    values, among = rng.integers(0, 9, 90).astype(np.float32), rng.random(90) < 0.6
    found, own = ordering.shares_below(values, among), values[among]
    for i in range(90):
        if among[i]:
            below, equal = (own < values[i]).sum(), (own == values[i]).sum()
            assert found[i] == pytest.approx((below + (equal - 1) / 2) / (len(own) - 1))
        else:
            assert np.isnan(found[i])
