"""The result of a real, tiny run, recomputed from the files it left."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from play import Player, Story
from scipy import stats

from core import events as ev
from core.artifacts import read_kept, read_predictions, read_scores
from core.errors import UserError
from core.spec import Spec
from core.summary import tradeoff
from core.units import n_keep

Make = Callable[..., Spec]
SCORES = ("el2n", "dynamic_uncertainty")
RATES = (0.3, 0.8)
OVER: dict[str, Any] = {
    "seeds": [0, 1],
    "train": {"epochs": "12ep"},
    "retrain": {"epochs": "2ep"},
    "score": {"also": ["dynamic_uncertainty"]},
    "baselines": ["random", "full", "subset_only", "true_random", "full_scores"],
    "reference": "full",
    "compute": {"keep_models": "all"},
}


@pytest.fixture(scope="module")
def player(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Player]:
    threads = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    yield Player(tmp_path_factory.mktemp("summary") / "runs")
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)


@pytest.fixture(scope="module")
def story(player: Player, make_spec: Make) -> Story:
    return player.play(make_spec(**OVER))


def keys(value: Any) -> set[str]:
    return set(value)


def test_every_key_is_there(story: Story) -> None:
    summary = story.summary
    assert keys(summary) == {
        "schema", "run", "name", "status", "reason", "seeds", "versions", "data", "subset",
        "scores", "extrapolation", "trials", "tradeoff", "cost", "artifacts", "mlflow",
    }  # fmt: skip
    assert (summary["schema"], summary["run"], summary["name"]) == (1, story.run.id, "tiny")
    assert (summary["status"], summary["reason"], summary["seeds"]) == ("finished", None, [0, 1])
    assert summary["data"] == {
        "name": "digits", "n_train": 1258, "n_test": 539, "classes": 10,
        "fingerprint": story.dataset.fingerprint,
    }  # fmt: skip
    assert summary["subset"] == {"n": 252, "fraction": 252 / 1258}
    assert summary["mlflow"] is None and summary["artifacts"]["report"] is None
    for row in summary["extrapolation"]:
        assert keys(row) == {
            "seed", "method", "score", "chosen", "heldout", "reference", "crossfit", "coverage80",
            "generated", "until",
        }  # fmt: skip
        assert keys(row["heldout"]) == {
            "spearman", "ci_low", "ci_high", "pearson", "n", "against",
        }  # fmt: skip
        assert row["heldout"]["against"] == "subset_scores"
        assert keys(row["reference"]) == {
            "spearman", "pearson", "ceiling_spearman", "reliability_spearman", "kept_recall",
        }  # fmt: skip
        assert all(keys(r) == {"rate", "value"} for r in row["reference"]["kept_recall"])
    for row in summary["trials"]:
        assert keys(row) == {
            "id", "seed", "method", "score", "policy", "rate", "n_kept", "subset_share",
            "kept_path", "status", "metrics", "seconds", "sample_passes", "steps", "truth",
        }  # fmt: skip
        assert row["truth"] is None  # the digits know nothing of themselves
        assert keys(row["metrics"]) == {"test_accuracy"}
    for row in summary["tradeoff"]:
        assert keys(row) == {"method", "policy", "rate", "metric", "mean", "std", "n", "vs_random"}
    cost = summary["cost"]
    assert keys(cost) == {
        "stages", "by_rate", "full_training_seconds", "full_measured", "break_even_rate", "budget",
    }  # fmt: skip
    for row in cost["stages"]:
        assert keys(row) == {
            "task", "stage", "seed", "trial", "seconds", "sample_passes", "flops",
            "peak_memory_bytes", "reused",
        }  # fmt: skip
    for row in cost["by_rate"]:
        assert keys(row) == {
            "method", "policy", "rate", "loop_seconds", "loop_passes", "saving", "saving_passes",
        }  # fmt: skip
    assert keys(summary["artifacts"]) == {"scores", "models", "report"}


def test_there_is_one_row_for_every_trial(story: Story) -> None:
    rows = story.summary["trials"]
    assert len(rows) == 2 * (4 * len(RATES) + 2)
    assert len({r["id"] for r in rows}) == len(rows)
    for row in rows:
        assert row["status"] == "finished"
        assert row["id"] == f"s{row['seed']}-{row['method']}-{row['policy'] or 'none'}-r" + (
            f"{row['rate']:.4f}"
        )
        named = None if row["method"] in ("random", "full") else "el2n"
        assert row["score"] == named
        assert row["steps"] == 2 * math.ceil(row["n_kept"] / 64)
        assert row["sample_passes"] == 2 * row["n_kept"]
        assert row["seconds"] > 0


def test_kept_counts_are_exact_and_ids_sound(story: Story) -> None:
    for row in story.summary["trials"]:
        if row["method"] == "full":
            assert (row["rate"], row["n_kept"], row["kept_path"]) == (0.0, 1258, None)
            continue
        kept = np.load(story.run.path / row["kept_path"])
        assert row["kept_path"] == f"kept/{row['id']}.npy"
        assert kept.dtype == np.int64 and len(kept) == row["n_kept"]
        wanted = n_keep(row["rate"], 1258)
        assert len(kept) == wanted and wanted in (881, 252)
        assert (np.diff(kept) > 0).all() and kept[0] >= 0 and kept[-1] < 1258
        assert np.array_equal(kept, read_kept(story.run, row["id"]))
        source = story.table(row["seed"])["source"]
        assert row["subset_share"] == pytest.approx((source[kept] == "scored").mean())


def test_the_table_of_scores(story: Story) -> None:
    for seed in (0, 1):
        table = pq.read_table(story.run.path / "scores" / f"seed-{seed}.parquet")
        per_score = [f"{s}{x}" for s in SCORES for x in ("", "_predicted", "_std", "_full")]
        assert table.column_names == ["id", "path", "source", "label", "heldout", *per_score]
        types = {f.name: str(f.type) for f in table.schema}
        assert [types[n] for n in ("id", "path", "source", "label", "heldout")] == [
            "int64", "string", "string", "int64", "bool",
        ]  # fmt: skip
        assert {types[n] for n in per_score} == {"float"}
        plain = table.to_pydict()
        assert plain["id"] == list(range(1258))
        assert plain["path"] == [None] * 1258
        assert plain["label"] == story.dataset.train.targets.tolist()
        assert plain["source"].count("scored") == 252
        assert set(plain["source"]) == {"scored", "extrapolated"}
        assert sum(plain["heldout"]) == 50
        for row in range(1258):
            scored, heldout = plain["source"][row] == "scored", plain["heldout"][row]
            assert scored or not heldout
            for name in SCORES:
                assert (plain[f"{name}_predicted"][row] is None) == (scored and not heldout)
                assert math.isfinite(plain[name][row]) and math.isfinite(plain[f"{name}_full"][row])
    assert story.summary["artifacts"]["scores"] == [
        {"seed": s, "path": f"scores/seed-{s}.parquet"} for s in (0, 1)
    ]


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("seed", [0, 1])
def test_correlations_recomputed_from_the_table(story: Story, seed: int, score: str) -> None:
    table, other = story.table(seed), story.table(1 - seed)
    found = story.agreement(seed, score)
    scored = table["source"] == "scored"
    used, raw, full = (table[f"{score}{x}"] for x in ("", "_predicted", "_full"))
    reference = found["reference"]

    def rank(x: Any, y: Any) -> float:
        return float(stats.spearmanr(x, y).statistic)

    assert reference["spearman"] == pytest.approx(rank(raw[~scored], full[~scored]), abs=1e-6)
    assert reference["pearson"] == pytest.approx(
        float(stats.pearsonr(raw[~scored].astype(float), full[~scored].astype(float)).statistic),
        abs=1e-5,
    )
    assert reference["ceiling_spearman"] == pytest.approx(
        rank(used[scored], full[scored]), abs=1e-6
    )
    assert reference["reliability_spearman"] == pytest.approx(
        rank(full, other[f"{score}_full"]), abs=1e-6
    )
    fold = table["heldout"]
    heldout = found["heldout"]
    assert heldout["n"] == fold.sum() == 50
    assert heldout["spearman"] == pytest.approx(rank(raw[fold], used[fold]), abs=1e-6)
    assert heldout["pearson"] == pytest.approx(
        float(stats.pearsonr(raw[fold].astype(float), used[fold].astype(float)).statistic), abs=1e-5
    )
    assert heldout["ci_low"] <= heldout["spearman"] <= heldout["ci_high"]
    if score == "el2n":  # better than chance: else this test would compare noise with noise
        assert min(reference["spearman"], reference["ceiling_spearman"]) > 0.2


def highest(values: Any, count: int) -> set[int]:
    """The best ids, one comparison at a time; ties to the lowest id."""
    order = sorted(range(len(values)), key=lambda i: (-float(values[i]), i))
    return set(order[:count])


def test_each_method_kept_what_its_scores_say(story: Story) -> None:
    for row in story.summary["trials"]:
        if row["method"] not in ("knn", "full_scores", "subset_only", "true_random"):
            continue
        table, kept = story.table(row["seed"]), set(read_kept(story.run, row["id"]).tolist())
        scored = set(np.flatnonzero(table["source"] == "scored").tolist())
        if row["method"] == "knn":
            assert kept == highest(table["el2n"], row["n_kept"])
        elif row["method"] == "full_scores":
            assert kept == highest(table["el2n_full"], row["n_kept"])
        elif row["method"] == "subset_only":
            assert kept == scored
        else:  # scored ids that are kept are the best of the scored
            inside = kept & scored
            measured = {i: table["el2n"][i] for i in scored}
            assert min(measured[i] for i in inside) >= max(
                (measured[i] for i in scored - inside), default=-math.inf
            )


def test_recall_of_what_the_full_scores_would_have_kept(story: Story) -> None:
    for seed in (0, 1):
        for score in SCORES:
            recall = story.agreement(seed, score)["reference"]["kept_recall"]
            assert [r["rate"] for r in recall] == list(RATES)
            for row in recall:
                trial = f"s{seed}-knn-top_k-r{row['rate']:.4f}"
                kept = set(read_kept(story.run, trial).tolist())
                best = highest(story.table(seed)[f"{score}_full"], len(kept))
                assert row["value"] == pytest.approx(len(kept & best) / len(kept))


def test_selection_sees_predictions_in_the_distribution_of_the_subset(story: Story) -> None:
    for seed in (0, 1):
        table = story.table(seed)
        scored = table["source"] == "scored"
        raw, used = table["el2n_predicted"][~scored], table["el2n"][~scored]
        measured = table["el2n"][scored]
        order = np.argsort(raw, kind="stable")
        assert (np.diff(used[order]) >= 0).all()  # in the order of the predictions
        assert measured.min() <= used.min() and used.max() <= measured.max()
        deciles = np.linspace(0.1, 0.9, 9)
        spread = measured.max() - measured.min()
        apart = np.abs(np.quantile(used, deciles) - np.quantile(measured, deciles)).max()
        assert apart < 0.05 * spread
        assert used.std() > 1.1 * raw.std()  # a mean of neighbours spreads less than the scores


def test_accuracies_recomputed_from_the_predictions(story: Story) -> None:
    targets = np.asarray(story.dataset.test.targets)
    for row in story.summary["trials"]:
        predicted = read_predictions(story.run, row["id"])
        assert predicted.dtype == np.int32 and predicted.shape == (539,)
        accuracy = float((predicted == targets).mean())
        assert row["metrics"]["test_accuracy"] == pytest.approx(accuracy, abs=1e-9)
    assert max(r["metrics"]["test_accuracy"] for r in story.trials("full")) > 0.7


def test_the_tradeoff_is_the_mean_over_seeds(story: Story) -> None:
    rows = {(r["method"], round(r["rate"], 4)): r for r in story.summary["tradeoff"]}
    assert len(rows) == 4 * len(RATES) + 2
    for (method, rate), row in rows.items():
        values = [
            t["metrics"]["test_accuracy"]
            for t in story.trials(method)
            if round(t["rate"], 4) == rate
        ]
        assert row["n"] == len(values) == 2
        assert row["mean"] == pytest.approx(np.mean(values))
        assert row["std"] == pytest.approx(np.std(values, ddof=1))
    assert rows["random", 0.3]["vs_random"] is None
    assert rows["full", 0.0]["vs_random"] is None
    against = rows["knn", 0.8]["vs_random"]
    assert against["mean"] == pytest.approx(rows["knn", 0.8]["mean"] - rows["random", 0.8]["mean"])
    assert against["ci_low"] is None and against["ci_high"] is None  # two seeds are too few


def test_the_ledger_adds_up(story: Story) -> None:
    cost = story.summary["cost"]
    stages = {r["task"]: r for r in cost["stages"]}
    assert list(stages) == [t.id for t in story.graph.tasks]
    for task in story.graph.tasks:  # the plan's counts are what was shown
        assert stages[task.id]["sample_passes"] == task.passes, task.id
        assert (stages[task.id]["flops"] > 0) == (task.passes > 0)
        assert stages[task.id]["peak_memory_bytes"] > 0
    full = np.mean([stages[f"retrain-s{s}-full-none-r0.0000"]["seconds"] for s in (0, 1)])
    assert cost["full_training_seconds"] == pytest.approx(full) and cost["full_measured"]
    shared = [
        sum(stages[f"{n}-s{s}"]["seconds"] for n in ("subset", "score", "embed", "extrapolate"))
        for s in (0, 1)
    ]
    for row in cost["by_rate"]:
        name = f"{row['method']}-{row['policy']}-r{row['rate']:.4f}"
        if row["method"] not in ("knn", "random"):
            continue
        own = [
            stages[f"prune-s{s}-{name}"]["seconds"] + stages[f"retrain-s{s}-{name}"]["seconds"]
            for s in (0, 1)
        ]
        loop = np.mean(own) + (np.mean(shared) if row["method"] == "knn" else 0)
        assert row["loop_seconds"] == pytest.approx(loop)
        assert row["saving"] == pytest.approx(1 - loop / full)
    overhead = np.mean(
        [
            shared[s] + stages[f"prune-s{s}-knn-top_k-r{rate:.4f}"]["seconds"]
            for s in (0, 1)
            for rate in RATES
        ]
    )
    assert cost["break_even_rate"] == pytest.approx(overhead / full)


def test_models_are_kept_when_asked_for(story: Story) -> None:
    listed = story.summary["artifacts"]["models"]
    assert len(listed) == 2 + len(story.summary["trials"])
    for row in listed:
        weights = torch.load(story.run.path / row["path"], weights_only=True)
        assert set(weights) == {"head.weight", "head.bias"}
    assert {r["trial"] for r in listed} >= {"s0-scoring", "s1-scoring", "s0-full-none-r0.0000"}


def test_files_it_stands_on_are_named(story: Story) -> None:
    named = json.loads((story.run.path / "refs.json").read_text())["keys"]
    assert named == sorted(set(named))
    assert all(story.store.get(key) is not None for key in named)


def test_the_journal_tells_of_every_candidate_and_trial(story: Story) -> None:
    told = [e for e in story.events if isinstance(e, ev.Extrapolated)]
    for seed in (0, 1):
        mine = [e for e in told if e.seed == seed]
        assert sum(e.chosen for e in mine) == 1
        winner = next(e for e in mine if e.chosen)
        found = story.agreement(seed, "el2n")
        assert winner.params == found["chosen"]
        assert winner.heldout == found["heldout"]["spearman"]
        assert winner.heldout == max(e.heldout for e in mine if e.heldout is not None)
    trials = {e.trial: e.metrics for e in story.events if isinstance(e, ev.TrialFinished)}
    assert trials == {t["id"]: t["metrics"] for t in story.summary["trials"]}


def test_seeds_differ_and_artifacts_that_are_not_there_are_named(story: Story) -> None:
    first, second = story.table(0), story.table(1)
    assert not np.array_equal(first["source"], second["source"])
    assert not np.array_equal(first["el2n_full"], second["el2n_full"])
    with pytest.raises(UserError, match=r"has no scores/seed-7\.parquet"):
        read_scores(story.run, 7)
    with pytest.raises(UserError, match="has no kept/"):
        read_kept(story.run, "s0-nothing")


def without_times(summary: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in summary.items() if k not in ("run", "cost")}


def test_a_second_run_reuses_everything_and_says_so(
    player: Player, story: Story, make_spec: Make
) -> None:
    again = player.play(make_spec(**OVER))
    assert without_times(again.summary) == without_times(story.summary)
    assert all(r["reused"] for r in again.summary["cost"]["stages"])
    assert again.summary["cost"]["by_rate"] == story.summary["cost"]["by_rate"]
    assert not any(isinstance(e, ev.TaskStarted) for e in again.events)
    points = [e for e in again.events if isinstance(e, ev.Points)]
    assert points  # the curves are in this journal too
    for kept in (story.run.path / "kept").iterdir():
        assert (again.run.path / "kept" / kept.name).read_bytes() == kept.read_bytes()


def test_a_run_that_was_stopped_has_what_is_done(
    player: Player, story: Story, make_spec: Make
) -> None:
    stopped = player.play(make_spec(**OVER), tasks=8)
    summary = stopped.summary
    assert (summary["status"], summary["reason"]) == ("stopped", "stopped")
    assert [r["seed"] for r in summary["extrapolation"]] == [0, 0]
    states = [t["status"] for t in summary["trials"]]
    assert len(states) == len(story.summary["trials"])
    assert 0 < states.count("finished") < len(states)
    pending = next(t for t in summary["trials"] if t["status"] == "pending")
    assert pending["metrics"] == {} and pending["seconds"] is None
    assert len(summary["cost"]["stages"]) == 8
    assert summary["cost"]["full_measured"] is False


def test_other_records_show_as_many_samples_as_planned(player: Player, make_spec: Make) -> None:
    """A pass an epoch, in a training that ends in the middle of one."""
    story = player.play(
        make_spec(
            seeds=[3], train={"epochs": "10st", "batch": 100}, prune={"rates": [0.9]},
            score={"record": "eval_pass"}, baselines=["full"], retrain={"budget": "steps"},
        )
    )  # fmt: skip
    stages = {r["task"]: r["sample_passes"] for r in story.summary["cost"]["stages"]}
    assert stages == {t.id: t.passes for t in story.graph.tasks}
    assert stages["score-s3"] == 3 * 252 + 100 + 2 * 252  # el2n reads two epochs
    (row,) = story.summary["extrapolation"]
    assert row["reference"] is None and "el2n_full" not in story.table(3)
    assert story.summary["artifacts"]["models"] == []
    steps = {t["method"]: t["steps"] for t in story.summary["trials"]}
    assert steps == {"knn": 10, "full": 10}


def trial(method: str, seed: int, rate: float, value: float | None) -> dict[str, Any]:
    return {
        "method": method, "policy": None if method == "full" else "p", "rate": rate, "seed": seed,
        "metrics": {} if value is None else {"test_accuracy": value},
    }  # fmt: skip


def test_differences_to_random_are_paired_by_seed() -> None:
    mine = {0: 0.81, 1: 0.84, 2: 0.80, 3: 0.9}
    chance = {0: 0.78, 1: 0.83, 2: 0.76}
    rows = [trial("knn", s, 0.5, v) for s, v in mine.items()]
    rows += [trial("random", s, 0.5, v) for s, v in chance.items()]
    rows += [trial("random", s, 0.3, 0.9) for s in chance]
    rows += [trial("full", s, 0.0, 0.95) for s in chance]
    rows += [trial("knn", 0, 0.3, None)]
    found = {(r["method"], r["rate"]): r for r in tradeoff(rows)}
    assert ("knn", 0.3) not in found
    row = found["knn", 0.5]
    assert row["n"] == 4 and row["mean"] == pytest.approx(0.8375)
    test = stats.ttest_rel([mine[s] for s in chance], list(chance.values()))
    interval = test.confidence_interval(0.95)
    assert row["vs_random"] == {
        "mean": pytest.approx((0.03 + 0.01 + 0.04) / 3),
        "ci_low": pytest.approx(interval.low),
        "ci_high": pytest.approx(interval.high),
    }
    assert found["full", 0.0]["vs_random"] is None
    assert found["random", 0.5]["vs_random"] is None


def test_one_seed_has_no_spread() -> None:
    found = tradeoff([trial("knn", 0, 0.5, 0.8), trial("random", 0, 0.5, 0.7)])
    assert found[0]["std"] is None and found[0]["n"] == 1
    assert found[0]["vs_random"] == {"mean": pytest.approx(0.1), "ci_low": None, "ci_high": None}
    assert tradeoff([]) == []
