"""Which samples a finished run says to keep, as one set a person can take away.

Of one seed it is the set that was retrained on. Over several seeds it is a consensus: for ``top_k``
the n_keep samples of the best mean rank. A policy that does not simply take the best is followed by
taking of every class as many as the seeds kept of it on average, those first that most seeds kept,
equal counts in the order of the mean rank.
Torch-free: front ends use it too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core import registry
from core.artifacts import read_kept, read_scores
from core.data.bank import Dataset
from core.errors import UserError, nearest
from core.runs import Run

Ids = NDArray[np.int64]
Row = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Selection:
    """A kept set. ``ids``: sorted int64 ``[n]``; the other columns stand beside them, or are None
    where the run has none. ``how`` is one sentence that says where the set comes from."""

    run: str
    method: str
    rate: float
    seeds: tuple[int, ...]
    total: int
    ids: Ids
    how: str
    paths: list[str] | None = None
    labels: NDArray[np.int64] | None = None
    score: NDArray[np.float32] | None = None
    """One seed: its scores ``[n]``, raw direction."""
    mean_rank: NDArray[np.float64] | None = None
    """Several seeds: mean over seeds of the rank ``[n]``, 1 is the most important of all."""
    kept_by: NDArray[np.int64] | None = None
    """Several seeds: in how many of them the sample was kept ``[n]``."""

    @property
    def stem(self) -> str:
        """A file name for it: ``k3fa-quickstart-knn-r0.5000``, one seed with ``-s0`` before it."""
        seed = f"-s{self.seeds[0]}" if len(self.seeds) == 1 else ""
        return f"{self.run}{seed}-{self.method}-r{self.rate:.4f}"

    @property
    def unlabelled(self) -> Ids:
        """Kept ids without a label, sorted."""
        if self.labels is None:
            return self.ids[:0]
        return self.ids[self.labels < 0]


def select(run: Run, rate: float, method: str | None = None, seed: int | None = None) -> Selection:
    """The samples ``method`` (None: the run's own) keeps at ``rate``, of one seed or, with None, of
    all seeds together. UserError naming what there is when the run has no such set."""
    rows = _rows(run, rate, method, seed)
    chosen, seeds = str(rows[0]["method"]), tuple(int(row["seed"]) for row in rows)
    selection = _one(run, rows[0]) if len(rows) == 1 else _consensus(run, rows)
    return Selection(run.id, chosen, float(rows[0]["rate"]), seeds, **selection)


def _rows(run: Run, rate: float, method: str | None, seed: int | None) -> list[Row]:
    """The summary's trials that are meant, each with a kept set."""
    rows: Sequence[Row] = (run.summary() or {}).get("trials") or ()
    if not rows:
        raise UserError(f"{run.id} has no results yet", f"follow it with: prunectl attach {run.id}")
    method = str(rows[0]["method"]) if method is None else method
    of_method = [row for row in rows if row["method"] == method]
    if not of_method:
        raise UserError(f"{run.id} has no method '{method}'", _listed(rows, "method", method))
    at_rate = [row for row in of_method if f"{row['rate']:.4f}" == f"{rate:.4f}"]
    if method == "full":
        raise UserError("full keeps every sample: there is nothing to choose", "use all ids")
    if not at_rate:
        rates = ", ".join(f"{r:.4f}".rstrip("0") for r in sorted({x["rate"] for x in of_method}))
        raise UserError(f"{method} was not run at rate {rate:g}", f"its rates: {rates}")
    if seed is not None and all(row["seed"] != seed for row in at_rate):
        raise UserError(f"{run.id} has no seed {seed}", f"seeds: {_seeds(at_rate)}")
    wanted = [row for row in at_rate if seed in (None, row["seed"])]
    found = [row for row in wanted if row.get("kept_path")]
    if not found and all(row["status"] == "finished" for row in wanted):
        what = f"{method} draws its samples anew while it trains: it has no set to keep"
        raise UserError(what, "choose another --method")
    if not found:
        raise UserError(
            f"{run.id} has not chosen the samples of {method} yet", f"run it on: {_go(run)}"
        )
    return found


def _go(run: Run) -> str:
    return f"prunectl resume {run.id}"


def _listed(rows: Sequence[Row], key: str, wrong: str) -> str:
    names = list(dict.fromkeys(str(row[key]) for row in rows if row[key] != "full"))
    close = nearest(wrong, names)
    return close if close.startswith("valid") else f"{close} (there are: {', '.join(names)})"


def _seeds(rows: Sequence[Row]) -> str:
    return ", ".join(str(s) for s in sorted({row["seed"] for row in rows}))


def _one(run: Run, row: Row) -> dict[str, Any]:
    ids = read_kept(run, str(row["id"]))
    table = _table(run, int(row["seed"]))
    column = _column(run, row)
    score = None if table is None or column not in table else table[column][ids]
    how = f"the set that {row['method']} kept in seed {row['seed']}"
    if row["status"] == "finished":
        how += " and was retrained on"
    return {**_about(run, ids, table), "how": how, "score": score}


def _consensus(run: Run, rows: Sequence[Row]) -> dict[str, Any]:
    column = _column(run, rows[0])
    if column is None:
        what = f"{rows[0]['method']} ranks the samples of every seed apart: there is no consensus"
        raise UserError(what, f"choose one with --seed: {_seeds(rows)}")
    tables = [_table(run, int(row["seed"])) for row in rows]
    if any(table is None or column not in table for table in tables):
        raise UserError(f"{run.id} lacks the scores of a seed", f"choose one seed: {_seeds(rows)}")
    sign = 1.0 if _keeps_high(str(rows[0]["score"])) else -1.0
    ranks = [descending_ranks(sign * t[column]) for t in tables if t is not None]
    mean = np.mean(ranks, axis=0)
    votes = np.zeros(len(mean), dtype=np.int64)
    for row in rows:
        votes[read_kept(run, str(row["id"]))] += 1
    n_keep, by_score = int(rows[0]["n_kept"]), rows[0]["policy"] == "top_k"
    order = np.argsort(mean, kind="stable") if by_score else np.lexsort((mean, -votes))
    if not by_score:
        order = _class_by_class(order, votes, np.asarray(_labels(tables)), n_keep)
    ids = np.sort(order[:n_keep]).astype(np.int64)
    rule = "the best mean rank" if by_score else _BY_VOTES
    how = (
        f"the consensus of seeds {_seeds(rows)} ({rule} of {rows[0]['score']}); "
        "it was not retrained itself: accuracies are those of single seeds"
    )
    return {
        **_about(run, ids, tables[0]), "how": how, "mean_rank": mean[ids], "kept_by": votes[ids],
    }  # fmt: skip


_BY_VOTES = (
    "of each class as many as the seeds kept on average: by most seeds, then the best mean rank"
)


def _labels(tables: Sequence[dict[str, NDArray[Any]] | None]) -> NDArray[Any]:
    assert tables[0] is not None  # looked at before
    return tables[0]["label"]


def _class_by_class(order: Ids, votes: Ids, labels: NDArray[Any], n_keep: int) -> Ids:
    """The first of ``order`` of every class, ids [n_keep]: of class c its share of all ``votes``
    [N], rounded so that the parts sum to ``n_keep`` (largest remainders first)."""
    classes, of = np.unique(labels, return_inverse=True)
    exact = np.bincount(of, weights=votes, minlength=len(classes)) * n_keep / votes.sum()
    quota = np.floor(exact).astype(np.int64)
    quota[np.argsort(quota - exact, kind="stable")[: n_keep - quota.sum()]] += 1
    return np.concatenate([order[of[order] == c][: quota[c]] for c in range(len(classes))])


def source_rows(selection: Selection, dataset: Dataset) -> Ids:
    """The kept samples' rows in the source's training part (where ``data.test_fraction`` and
    ``data.validation`` take samples out, ids count only what is left), sorted int64 ``[n]``."""
    rows = dataset.train.row
    return selection.ids if rows is None else np.asarray(rows)[selection.ids]


def descending_ranks(values: NDArray[Any]) -> NDArray[np.float64]:
    """Ranks 1..N of ``values`` [N], 1 for the largest; equal values share the mean of theirs."""
    _, place, counts = np.unique(-values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: NDArray[np.float64] = (last - (counts - 1) / 2)[place]
    return ranks


def _about(run: Run, ids: Ids, table: dict[str, NDArray[Any]] | None) -> dict[str, Any]:
    """Columns that say what a sample is, and the count of all of them."""
    if table is None:
        total = int(((run.summary() or {}).get("data") or {}).get("n_train") or 0)
        return {"ids": ids, "total": total}
    paths = [str(p) for p in table["path"][ids]] if table["path"][0] is not None else None
    return {"ids": ids, "total": len(table["id"]), "paths": paths, "labels": table["label"][ids]}


def _table(run: Run, seed: int) -> dict[str, NDArray[Any]] | None:
    """The seed's score table, None where the run has none."""
    if not (run.path / "scores" / f"seed-{seed}.parquet").is_file():
        return None
    return read_scores(run, seed)


def _column(run: Run, row: Row) -> str | None:
    """The column a method ranks by; None where its ranking is of no use to another seed."""
    own = str(((run.summary() or {}).get("trials") or [row])[0]["method"])
    if row["method"] == own:
        return str(row["score"])
    return f"{row['score']}_full" if row["method"] == "full_scores" else None


def _keeps_high(score: str) -> bool:
    return registry.describe("score", score).constants.get("DIRECTION") != "low"
