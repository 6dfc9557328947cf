"""Scores that every sample has: from embeddings, from a file, at random."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core import registry
from core.errors import UserError
from core.needs import score_kind
from core.scores import external, prototypicality, random, zcoreset
from core.testing.measured_scores import MeasuredScoreConformance

MEASURED = [n for n in registry.names("score") if score_kind(n) != "trained"]


@pytest.mark.parametrize("name", MEASURED, scope="class")
class TestBuiltIn(MeasuredScoreConformance):
    @pytest.fixture(autouse=True)
    def _chosen(self, name: str, tmp_path: Path) -> None:
        self.name = name
        if name == "external":
            np.savez(tmp_path / "s.npz", ids=np.arange(self.n), scores=np.arange(self.n) / 7)
            self.options = {"path": str(tmp_path / "s.npz")}


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


# ---- prototypicality


def blobs() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Three groups of four directions far apart, of unlike lengths; and the group of each."""
    angles = np.radians([0, 2, 4, 10, 120, 121, 123, 128, 240, 243, 244, 250])
    lengths = np.array([1, 5, 0.2, 3] * 3)
    x = np.stack([np.cos(angles), np.sin(angles)], axis=1) * lengths[:, None]
    return x.astype(np.float32), np.repeat([0, 1, 2], 4)


def test_prototypicality_by_hand() -> None:
    """A spherical centre is the direction of the group's mean of unit vectors."""
    x, group = blobs()
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    centres = np.stack([unit[group == g].mean(0) for g in range(3)])
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    expected = [1 - float(unit[i] @ centres[group[i]]) for i in range(12)]
    far = prototypicality.make(prototypicality.Params(k=3)).compute(x, None, rng())
    np.testing.assert_allclose(far, expected, atol=1e-5)
    near = prototypicality.make(prototypicality.Params(k=3, keep="near")).compute(x, None, rng())
    np.testing.assert_allclose(near, -far, atol=1e-6)
    for g in range(3):  # the one that lies apart in each group
        members = np.flatnonzero(group == g)
        assert far[members].argmax() == 3


def test_prototypicality_does_not_depend_on_lengths_or_on_the_prototypes_order() -> None:
    x, _ = blobs()
    score = prototypicality.make(prototypicality.Params(k=3))
    first = score.compute(x, None, rng())
    np.testing.assert_allclose(score.compute(x * 1000, None, rng()), first, atol=1e-5)
    np.testing.assert_allclose(score.compute(x, None, np.random.default_rng(9)), first, atol=1e-5)


@pytest.mark.parametrize("k", [0, 13])
def test_impossible_prototypes_are_refused(k: int) -> None:
    with pytest.raises(UserError, match=r"score\.k is .* give a value from 1 to 12"):
        prototypicality.make(prototypicality.Params(k=k)).compute(blobs()[0], None, rng())


# ---- zcoreset


def slow_zcoreset(x: np.ndarray[Any, Any], draws: int, k: int) -> list[float]:
    """One draw after the other: the winner gains 1, its neighbours lose at once."""
    generator = rng()
    score = list(generator.random(len(x)))
    dimensions, points = zcoreset.sample_points(x, draws, generator)
    for (a, b), (p, q) in zip(dimensions, points, strict=True):
        apart = [abs(row[a] - p) + abs(row[b] - q) for row in x]
        won = apart.index(min(apart))
        score[won] += 1
        others = sorted(
            (float(np.linalg.norm(x[j].astype(float) - x[won])), j)
            for j in range(len(x)) if j != won
        )[:k]  # fmt: skip
        weights = [0.0 if others[0][0] == 0 else d**-4 for d, _ in others]
        for (d, j), w in zip(others, weights, strict=True):
            score[j] -= 1.0 if d == 0 else (w / sum(weights) if sum(weights) else 0.0)
    low, high = min(score), max(score)
    return [(s - low) / (high - low) for s in score]


def test_zcoreset_is_the_procedure_draw_by_draw() -> None:
    x = np.random.default_rng(5).standard_normal((40, 6)).astype(np.float32)
    x[7] = x[3]  # an exact duplicate loses a whole point
    score = zcoreset.make(zcoreset.Params(draws=300, neighbors=6))
    np.testing.assert_allclose(score.compute(x, None, rng()), slow_zcoreset(x, 300, 6), atol=1e-4)


def test_zcoreset_points_lie_between_the_extremes() -> None:
    x = np.random.default_rng(5).exponential(size=(200, 4)).astype(np.float32)
    x[:, 2] = 1.5  # a dimension without extent
    dimensions, points = zcoreset.sample_points(x, 2000, rng())
    assert (dimensions[:, 0] != dimensions[:, 1]).all()
    low, high = x.min(0)[dimensions], x.max(0)[dimensions]
    assert ((points >= low - 1e-5) & (points <= high + 1e-5)).all()
    assert np.bincount(dimensions.ravel(), minlength=4).min() > 800
    assert (points[dimensions == 2] == 1.5).all()


def test_zcoreset_prefers_the_lonely_to_the_crowd() -> None:
    crowd = np.random.default_rng(1).normal(0, 0.01, (50, 3))
    x = np.r_[crowd, [[2, 0, 0], [0, 2, 0], [0, 0, 2], [-2, -2, -2]]].astype(np.float32)
    values = zcoreset.make(zcoreset.Params(draws=2000, neighbors=10)).compute(x, None, rng())
    assert values[50:].min() > np.median(values[:50])
    assert values.min() == 0 and values.max() == 1


def test_impossible_draws_are_refused() -> None:
    with pytest.raises(UserError, match="zcoreset cannot make -1 draws"):
        zcoreset.make(zcoreset.Params(draws=-1)).compute(blobs()[0], None, rng())


# ---- random and external


def test_random_is_uniform() -> None:
    values = random.make(None).values(10_000, rng())
    assert values.min() >= 0 and values.max() < 1 and abs(values.mean() - 0.5) < 0.02


SCORES = np.array([0.5, -1.25, 3.0, 2.0])


def written(folder: Path, kind: str) -> Path:
    path, shuffled = folder / f"scores.{kind}", [2, 0, 3, 1]
    if kind == "csv":
        rows = [f"{i},{SCORES[i]}" for i in shuffled]
        path.write_text("\n".join(["id,score", *rows]) + "\n")
    elif kind == "parquet":
        pq.write_table(pa.table({"id": shuffled, "score": SCORES[shuffled]}), path)
    elif kind == "npz":
        np.savez(path, ids=np.array(shuffled), scores=SCORES[shuffled])
    else:
        path.write_text(json.dumps({str(i): SCORES[i] for i in shuffled}))
    return path


def read(path: Path, n: int = 4, **options: Any) -> Any:
    return external.make(external.Params(str(path), **options)).values(n, rng())


@pytest.mark.parametrize("kind", ["csv", "parquet", "npz", "json"])
def test_files_are_read_by_id(tmp_path: Path, kind: str) -> None:
    path = written(tmp_path, kind)
    np.testing.assert_array_equal(read(path), SCORES.astype(np.float32))
    np.testing.assert_array_equal(read(path, keep="low"), -SCORES.astype(np.float32))


def test_a_column_is_chosen_by_name(tmp_path: Path) -> None:
    path = tmp_path / "two.csv"
    path.write_text("id,a,b\n0,1,5\n1,2,6\n")
    assert read(path, 2, column="b").tolist() == [5, 6]
    with pytest.raises(UserError, match=r"columns id, a, b; say which .* score\.column"):
        read(path, 2)
    with pytest.raises(UserError, match="no column 'c'"):
        read(path, 2, column="c")


def test_another_file_of_the_same_name_is_another_input(tmp_path: Path) -> None:
    path = written(tmp_path, "csv")
    score = external.make(external.Params(str(path)))
    before = score.fingerprint()
    path.write_text(path.read_text().replace("0.5", "0.6"))
    assert score.fingerprint() != before


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "a.csv",
            "id,score\n0,1\n1,2\n2,3\n",
            "1 of 4 training samples have no score, such as id 3",
        ),
        ("a.csv", "id,score\n0,1\n1,2\n2,3\n2,4\n", "id 2 is there twice"),
        (
            "a.csv",
            "id,score\n0,1\n1,2\n2,3\n4,4\n",
            "id 4 is no training sample; ids go from 0 to 3",
        ),
        ("a.csv", "id,score\n0,1\n1,2\n2,3\n-1,4\n", "id -1 is no training sample"),
        ("a.csv", "id,score\n0,1\n1,\n2,3\n3,4\n", "the score of id 1 is not a number"),
        ("a.csv", "id,score\n0,1\n1,nan\n2,3\n3,4\n", "the score of id 1 is not a number"),
        ("a.csv", "id,score\n0,1\n1,x\n2,3\n3,4\n", "scores numbers"),
        ("a.csv", "id,score\n0.5,1\n1,2\n2,3\n3,4\n", "ids must be whole numbers"),
        ("a.csv", "sample,score\n0,1\n", "has no column 'id'"),
        ("a.csv", "", "cannot be read as csv"),
        ("a.json", '{"0": 1, "1": 2, "1": 3, "2": 4, "3": 5}', "id 1 is there twice"),
        ("a.json", '{"0": 1, "1": null, "2": 4, "3": 5}', "the score of id 1 is not a number"),
        ("a.json", "[1, 2, 3, 4]", "no mapping of ids to scores"),
        ("a.json", "{", "cannot be read as json"),
        ("a.npz", "no archive", "cannot be read as npz"),
        ("a.parquet", "no table", "cannot be read as parquet"),
        ("a.txt", "0 1", "none of .csv, .parquet, .npz, .json"),
        (".", "", "none of .csv"),
    ],
)
def test_a_bad_file_is_one_line(tmp_path: Path, name: str, text: str, said: str) -> None:
    if name != ".":
        (tmp_path / name).write_text(text)
    with pytest.raises(UserError) as caught:
        read(tmp_path / name)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"score\.path: cannot read .*gone\.csv"):
        read(tmp_path / "gone.csv")


def test_arrays_under_other_names_are_told(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", index=np.arange(4), value=SCORES)
    with pytest.raises(UserError, match="has the arrays index, value; name them ids and scores"):
        read(tmp_path / "a.npz")
