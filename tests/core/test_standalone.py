"""Extrapolating and pruning on files of one's own: results, and every way they can be wrong."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.errors import UserError
from core.extrapolators import extrapolate, knn
from core.extrapolators.base import others
from core.metrics import coverage80, spearman
from core.standalone import extrapolate_files, prune_files, read_array
from core.testing.extrapolators import problem

KNN = {"method": "knn", "options": {"k": 5}, "threads": 1}


@pytest.fixture
def case():
    return problem()


@pytest.fixture
def files(case, tmp_path):
    """Files as a user has them; ``write`` replaces the rows of the CSV."""
    np.save(tmp_path / "E.npy", case.x.embeddings.astype(np.float64))
    np.save(tmp_path / "y.npy", case.x.labels)

    def write(rows, head="id,score"):
        text = "\n".join([head, *(",".join(map(str, row)) for row in rows)])
        (tmp_path / "S.csv").write_text(text + "\n", encoding="utf-8")

    write(zip(case.ids[::-1], case.scores[::-1, 0], strict=True))
    job = {n: str(tmp_path / f) for n, f in (("embeddings", "E.npy"), ("scores", "S.csv"))}
    return job | KNN | {"out": str(tmp_path / "out.parquet")}, write, tmp_path


def test_the_table_has_measured_scores_and_mapped_predictions(files, case):
    job, _, folder = files
    seen = []
    told = extrapolate_files(job, lambda *given: seen.append(given))
    table = pq.read_table(folder / "out.parquet")
    assert table.column_names == ["id", "score", "std", "source"]
    columns = {n: table.column(n).to_numpy(zero_copy_only=False) for n in table.column_names}
    assert columns["id"].tolist() == list(range(300))
    scored = columns["source"] == "scored"
    np.testing.assert_array_equal(np.flatnonzero(scored), case.ids)
    np.testing.assert_allclose(columns["score"][scored], case.scores[:, 0], rtol=1e-6)
    assert (np.isnan(columns["std"]) == scored).all()
    truth = case.truth[~scored, 0]
    assert spearman(columns["score"][~scored], truth) > 0.8
    assert columns["score"][~scored].std() == pytest.approx(case.scores[:, 0].std(), rel=0.1)
    assert told["chosen"]["k"] == 5 and told["n"] == 300 and told["scored"] == 90
    assert 0.5 < told["heldout"]["spearman"] <= 1 and told["heldout"]["n"] == 18
    assert ("predictions", 210, 210) in seen and ("embeddings checked", 300, 300) in seen
    json.dumps(told, allow_nan=False)


def test_python_gives_what_the_command_writes(files, case):
    found = extrapolate(
        case.x.embeddings, case.ids, case.scores[:, 0], method="knn", options={"k": 5}, threads=1
    )
    extrapolate_files(files[0])
    written = pq.read_table(files[0]["out"])
    np.testing.assert_allclose(found.scores, written.column("score").to_numpy(), rtol=1e-5)
    rest = others(case.x, case.ids)
    assert np.isnan(found.predicted[case.ids]).all() and np.isfinite(found.predicted[rest]).all()
    fold = found.heldout
    position = {int(i): p for p, i in enumerate(case.ids)}
    truth = case.scores[[position[int(i)] for i in fold.ids], 0]
    assert fold.coverage80 == coverage80(fold.predictions[:, 0], fold.std[:, 0], truth)
    plain = knn.make(knn.Params(k=5))
    alone = plain.fit_predict(
        case.x, case.ids, case.scores, replace(plain.given, **found.chosen), None
    )
    np.testing.assert_allclose(found.predicted[rest], alone.values[rest, 0], atol=1e-6)


def test_where_the_net_saw_the_scored_samples_positions_are_not_trusted(files, case):
    """auto combines what the scored samples can judge, here geometry alone."""
    job, _, folder = files
    job |= {"labels": str(folder / "y.npy"), "method": "auto", "options": {"combine": "best"}}
    found = {}
    for name, options in (("all", {}), ("geometry", {"methods": ["geometry"]})):
        for seen in (False, True):
            given = job | {"in_sample": seen, "options": job["options"] | options}
            extrapolate_files(given, lambda *_: None)
            table = pq.read_table(folder / "out.parquet")
            found[name, seen] = table["score"].to_numpy()
    assert np.array_equal(found["all", True], found["geometry", True])
    assert not np.array_equal(found["all", False], found["geometry", False])


def test_labels_and_the_neighbour_graph_are_there_for_who_reads_them(files):
    job, _, folder = files
    for name in ("propagate", "ridge"):
        told = extrapolate_files(
            {**job, "method": name, "options": {}, "labels": str(folder / "y.npy")}
        )
        assert told["heldout"]["spearman"] > 0.8


def test_constant_scores_have_no_correlation(files, case):
    job, write, _ = files
    write((i, 0.25) for i in case.ids)
    told = extrapolate_files(job)
    assert told["heldout"]["spearman"] is None and told["heldout"]["pearson"] is None
    assert set(pq.read_table(job["out"]).column("score").to_pylist()) == {0.25}


@pytest.mark.parametrize(
    ("rows", "head", "said"),
    [
        ([(0, 1), (300, 2), (-1, 2)], "id,score", r"2 ids: 300, -1 outside 0\.\.299; .*300 rows"),
        ([(4, 1), (5, 2), (4, 2)], "id,score", "id 4 given more than once"),
        ([(4, 1), (5, "nan"), (7, "")], "id,score", r"NaN.*2 ids: 5, 7"),
        ([(4, 1), (5, 2)], "index,score", "no column 'id'; it has: index, score"),
        ([(4, 1), (5, 2)], "id,value", "no column 'score'; it has: id, value"),
        ([(4, 1), (5, "high")], "id,score", "no number"),
        ([(0.5, 1), (1.5, 2)], "id,score", "whole numbers"),
        ([(4, 1)], "id,score", "too few"),
        ([(i, i) for i in range(300)], "id,score", "nothing to extrapolate"),
        ([(4, 1), (5, 2), (6, 3), (7, 4)], "id,score", r"from 1 to 3"),
    ],
)
def test_bad_scores_are_one_line_and_nothing_is_written(files, rows, head, said):
    job, write, folder = files
    write(rows, head)
    with pytest.raises(UserError, match=said):
        extrapolate_files(job)
    assert not list(folder.glob("*out*"))


def test_bad_embeddings_labels_options_and_places(files, case):
    job, _, folder = files
    broken = case.x.embeddings.copy()
    broken[[3, 8], 0] = np.nan, np.inf
    np.save(folder / "B.npy", broken)
    np.save(folder / "flat.npy", broken[0])
    np.save(folder / "pickled.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.save(folder / "few.npy", case.x.labels[:5])
    (folder / "text.npy").write_text("id")
    wrong = [
        ({"embeddings": str(folder / "B.npy")}, "2 rows: 3, 8"),
        ({"embeddings": str(folder / "flat.npy")}, r"float32 \[6\]"),
        ({"embeddings": str(folder / "pickled.npy")}, r"no \.npy file of numbers"),
        ({"embeddings": str(folder / "text.npy")}, r"no \.npy file of numbers"),
        ({"embeddings": str(folder / "none.npy")}, "no such file"),
        ({"scores": str(folder / "none.csv")}, "no such file"),
        ({"labels": str(folder / "few.npy")}, r"int64 \[5\]; give 300"),
        ({"method": "knm"}, "did you mean 'knn'"),
        ({"options": {"kk": 3}}, "no option 'kk'; did you mean 'k'"),
        ({"options": {"k": "many"}}, "option k of knn"),
        ({"out": str(folder / "none" / "o.parquet")}, "no such folder"),
    ]
    for over, said in wrong:
        with pytest.raises(UserError, match=said):
            extrapolate_files(job | over)
    assert read_array(folder / "E.npy", "embeddings").base is not None  # mapped, not read


@pytest.fixture
def table(tmp_path):
    """Ten ids in no order, a score, a companion and where they come from."""
    ids = np.array([7, 1, 3, 9, 5, 0, 2, 8, 6, 4])
    columns = {"id": ids, "score": ids / 10, "aum": -ids / 10}
    columns["source"] = np.where(ids < 4, "scored", "extrapolated")
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    np.save(tmp_path / "y.npy", np.arange(10) % 2)
    return {
        "scores": str(tmp_path / "t.parquet"), "rate": 0.7, "policy": "top_k", "column": "score",
        "out": str(tmp_path / "kept.npy"),
    }  # fmt: skip


def test_kept_ids_are_sorted_and_exactly_as_many(table, tmp_path):
    told = prune_files(table)
    kept = np.load(tmp_path / "kept.npy")
    assert kept.tolist() == [7, 8, 9] and kept.dtype == np.int64
    assert (told["n"], told["n_kept"], told["subset_share"]) == (10, 3, 0.0)
    assert prune_files({**table, "direction": "low"})["subset_share"] == 1.0
    assert np.load(tmp_path / "kept.npy").tolist() == [0, 1, 2]
    prune_files({**table, "column": "aum"})
    assert np.load(tmp_path / "kept.npy").tolist() == [0, 1, 2]
    prune_files(
        {**table, "rate": 0.6, "policy": "class_balanced", "labels": str(tmp_path / "y.npy")}
    )
    assert np.load(tmp_path / "kept.npy").tolist() == [6, 7, 8, 9]


def test_a_policy_finds_further_scores_in_the_table(table, tmp_path):
    covered = {**table, "policy": "coverage", "options": {"cutoff": 0.3, "strata": 2}}
    prune_files({**covered, "rate": 0.7})  # aum is low where it is hard: ids 7, 8, 9 go
    assert set(np.load(tmp_path / "kept.npy")) <= set(range(7))
    columns = pq.read_table(table["scores"]).drop_columns(["aum"])
    pq.write_table(columns, table["scores"])
    prune_files({**covered, "rate": 0.7})  # without one the score itself says what is hard
    assert set(np.load(tmp_path / "kept.npy")) <= set(range(7))


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"rate": 1.0}, "not between 0 and 1"),
        ({"rate": 0.99}, "cannot be kept"),
        ({"policy": "top"}, "top_k"),
        ({"policy": "class_balanced"}, "labels"),
        ({"column": "scre"}, "no column 'scre'; it has: id, score, aum, source"),
        ({"options": {"k": 1}}, "no option 'k'"),
        ({"policy": "coverage", "options": {"by": "loss"}}, "reads the column 'loss'"),
        ({"policy": "beta"}, "reads the column .*, and the table has: id, score, aum"),
        ({"policy": "coverage", "options": {"strata": "x"}}, "option strata of coverage"),
        ({"policy": "graph"}, "needs neighbors"),
        ({"scores": "none.parquet"}, "no such file"),
    ],
)
def test_pruning_says_what_is_wrong(table, over, said, tmp_path):
    with pytest.raises(UserError, match=said):
        prune_files(table | over)
    assert not (tmp_path / "kept.npy").exists()


def test_a_score_that_is_missing_is_not_pruned_by(table, tmp_path):
    columns = pq.read_table(table["scores"]).to_pydict()
    columns["score"][2] = None
    pq.write_table(pa.table(columns), table["scores"])
    with pytest.raises(UserError, match=r"1 of 10 samples have no score"):
        prune_files(table)
