"""Kept sets: of one seed, the consensus of several, and as files."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.errors import UserError
from core.export import Selection, _class_by_class, descending_ranks, select
from core.export_files import encode, link_folder, save
from core.runs import Run

PATHS = ["a/x y.png", "b/x'.png", "a/z.png", "b/w.png", "a/v.png"]
# Two seeds score five samples; by hand: ranks (1 is the largest) 1 2 3 4 5 and 3 1 2 5 4.
SCORES = {0: [0.9, 0.8, 0.7, 0.6, 0.5], 1: [0.3, 0.5, 0.4, 0.1, 0.2]}
KEPT = {0: [0, 1], 1: [1, 2]}


def _write(folder: Path, *, policy: str = "top_k", score: str = "el2n", **more: Any) -> Run:
    """A run folder with two seeds, written by hand."""
    (folder / "scores").mkdir(parents=True)
    (folder / "kept").mkdir()
    trials = []
    for seed, values in SCORES.items():
        table = {
            "id": pa.array(range(5)), "path": pa.array(more.get("paths", PATHS), pa.string()),
            "label": pa.array([0, 1, 0, 1, -1]), score: pa.array(values, pa.float32()),
        }  # fmt: skip
        pq.write_table(pa.table(table), folder / "scores" / f"seed-{seed}.parquet")
        for method in ("knn", "random", "rs2"):
            row = {
                "id": f"s{seed}-{method}-{policy}-r0.6000", "seed": seed, "method": method,
                "score": score, "policy": policy, "rate": 0.6, "n_kept": 2, "kept_path": None,
                "status": "finished",
            }  # fmt: skip
            if method != "rs2":
                row["kept_path"] = f"kept/{row['id']}.npy"
                np.save(folder / row["kept_path"], np.array(KEPT[seed], dtype=np.int64))
            trials.append(row)
    (folder / "summary.json").write_text(json.dumps({"schema": 1, "trials": trials}))
    return Run(folder)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return _write(tmp_path / "abcd-hand")


def test_ranks_share_ties() -> None:
    assert descending_ranks(np.array([5.0, 7.0, 5.0, 1.0])).tolist() == [2.5, 1.0, 2.5, 4.0]


def test_one_seed_is_the_set_that_was_retrained_on(run: Run) -> None:
    found = select(run, 0.6, seed=1)
    assert (found.ids.tolist(), found.paths) == ([1, 2], PATHS[1:3])
    assert found.score is not None and np.allclose(found.score, [0.5, 0.4])
    assert found.mean_rank is None and "retrained on" in found.how
    assert found.stem == "abcd-hand-s1-knn-r0.6000"


def test_the_consensus_is_the_best_mean_rank(run: Run) -> None:
    found = select(run, 0.6)
    # mean ranks by hand: 2, 1.5, 2.5, 4.5, 4.5
    assert found.ids.tolist() == [0, 1]
    assert found.mean_rank is not None and found.mean_rank.tolist() == [2.0, 1.5]
    assert found.kept_by is not None and found.kept_by.tolist() == [1, 2]
    assert "consensus of seeds 0, 1" in found.how and "not retrained itself" in found.how


def test_where_low_is_important_the_lowest_ranks_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.export._keeps_high", lambda score: False)
    assert select(_write(tmp_path / "low"), 0.6).ids.tolist() == [3, 4]


def test_a_policy_that_is_no_ranking_is_followed_by_its_votes(tmp_path: Path) -> None:
    found = select(_write(tmp_path / "votes", policy="class_balanced"), 0.6)
    # votes by hand: 1 2 1 0 0; of the two with one vote sample 0 has the better mean rank
    assert found.ids.tolist() == [0, 1]
    assert "of each class as many as the seeds kept on average" in found.how


def test_a_consensus_keeps_the_balance_of_classes_the_seeds_kept() -> None:
    """Two seeds kept one sample of either class, but not the same ones: the order alone (by mean
    rank) would take both of class 0."""
    order, votes = np.array([0, 1, 2, 3]), np.array([1, 1, 1, 1])
    labels = np.array([0, 0, 7, 7])
    assert sorted(_class_by_class(order, votes, labels, 2).tolist()) == [0, 2]
    # three of four by hand: 1.5 of each class, the equal remainders in the order of the classes
    assert sorted(_class_by_class(order, votes, labels, 3).tolist()) == [0, 1, 2]


@pytest.mark.parametrize(
    ("asked", "what", "todo"),
    [
        ({"rate": 0.5}, "knn was not run at rate 0.5", "its rates: 0.6"),
        ({"rate": 0.6, "method": "kn"}, "no method 'kn'", "did you mean 'knn'? (there are: knn,"),
        ({"rate": 0.6, "seed": 3}, "no seed 3", "seeds: 0, 1"),
        ({"rate": 0.6, "method": "rs2"}, "rs2 draws its samples anew", "another --method"),
        ({"rate": 0.6, "method": "random"}, "there is no consensus", "--seed: 0, 1"),
    ],
)
def test_what_there_is_not_is_named_with_what_there_is(
    run: Run, asked: dict[str, Any], what: str, todo: str
) -> None:
    with pytest.raises(UserError) as error:
        select(run, **asked)
    assert what in error.value.what
    assert todo in error.value.todo


def test_a_baseline_of_one_seed_is_its_kept_set(run: Run) -> None:
    assert select(run, 0.6, "random", 0).ids.tolist() == [0, 1]


def test_formats_hold_the_same_ids(run: Run) -> None:
    found = select(run, 0.6)
    ids = np.load(io.BytesIO(encode(found, "npy")), allow_pickle=False)
    assert ids.dtype == np.int64 and ids.tolist() == [0, 1]
    assert encode(found, "txt").decode().splitlines() == PATHS[:2]
    rows = list(csv.DictReader(io.StringIO(encode(found, "csv").decode())))
    assert [(r["id"], r["path"], r["label"], r["kept_by"]) for r in rows] == [
        ("0", "a/x y.png", "0", "1"), ("1", "b/x'.png", "1", "2"),
    ]  # fmt: skip
    table = pq.read_table(io.BytesIO(encode(found, "parquet"))).to_pydict()
    assert table["id"] == [0, 1] and table["path"] == PATHS[:2] and "score" not in table


def test_without_paths_txt_has_ids(tmp_path: Path) -> None:
    found = select(_write(tmp_path / "ids", paths=[None] * 5), 0.6)
    assert found.paths is None and encode(found, "txt") == b"0\n1\n"


def test_a_path_with_a_line_break_is_no_line(tmp_path: Path) -> None:
    found = select(_write(tmp_path / "n", paths=["a\nb", *PATHS[1:]]), 0.6)
    with pytest.raises(UserError, match="line break"):
        encode(found, "txt")
    assert b'"a\nb"' in encode(found, "csv")


def test_out_needs_its_folder(run: Run, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        save(select(run, 0.6), "npy", tmp_path / "none" / "kept.npy")


def _set(paths: list[str], labels: list[int]) -> Selection:
    ids = np.arange(len(paths), dtype=np.int64)
    labelled = np.array(labels, dtype=np.int64)
    return Selection("r", "knn", 0.5, (0,), 9, ids, "", paths=paths, labels=labelled)


def test_links_are_an_image_folder(tmp_path: Path) -> None:
    paths = ["train/cat/1.png", "train/cat/deep/1.png", "extra/a b's.png", "extra/u.png",
             "more/a b's.png"]  # fmt: skip
    for path in paths:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
    found = _set(paths, [0, 0, 1, -1, 1])
    made = link_folder(found, tmp_path, ["cat", "dog/s"], tmp_path / "out")
    assert made == {"cat": 2, "dog_s": 2}  # the sample without a label has no class to go to
    links = {
        str(p.relative_to(tmp_path / "out")): p.read_text() for p in tmp_path.glob("out/**/*.png")
    }
    assert links == {
        "cat/1.png": paths[0], "cat/deep/1.png": paths[1],
        "dog_s/a b's.png": paths[2], "dog_s/a b's-4.png": paths[4],
    }  # fmt: skip
    assert all(p.is_symlink() for p in tmp_path.glob("out/**/*.png"))
    with pytest.raises(UserError, match="exists already"):
        link_folder(found, tmp_path, ["cat", "dog"], tmp_path / "out")


def test_a_file_that_is_gone_makes_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="1 of 1 kept files are gone"):
        link_folder(_set(["cat/1.png"], [0]), tmp_path, ["cat", "dog"], tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
