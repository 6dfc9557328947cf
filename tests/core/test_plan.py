"""The graph: which tasks, what each needs, how many samples each shows to a net."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from core.errors import UserError
from core.facts import DataFacts
from core.needs import graph_neighbors
from core.plan.build import build_graph
from core.plan.passes import retrain_steps
from core.plan.tasks import Graph
from core.plan.trials import subset_size, trials
from core.spec import Spec
from core.spec_load import parse_spec
from core.units import n_keep, sample_passes

Make = Callable[..., Spec]
FACTS = DataFacts(1258, 539, 10, "f")
EVERYTHING = {
    "baselines": ["random", "full", "subset_only", "true_random", "full_scores"],
    "reference": "full",
}


def graph_of(spec: Spec, facts: DataFacts = FACTS) -> Graph:
    return build_graph([(spec, facts)])


def counts(graph: Graph) -> dict[str, int]:
    found: dict[str, int] = {}
    for task in graph.tasks:
        found[task.stage] = found.get(task.stage, 0) + 1
    return found


@pytest.mark.parametrize("seeds", [[0], [0, 1, 2]])
@pytest.mark.parametrize("rates", [[0.8], [0.3, 0.5, 0.8, 0.9]])
def test_how_many_tasks_there_are(make_spec: Make, seeds: list[int], rates: list[float]) -> None:
    graph = graph_of(make_spec(seeds=seeds, prune={"rates": rates}, **EVERYTHING))
    s, r = len(seeds), len(rates)
    above = sum(rate >= 0.8 for rate in rates)  # the subset is a fifth, which rate 0.8 keeps
    selected = 4 * r + above  # the method, random, true_random, full_scores; subset_only
    assert counts(graph) == {
        "subset": s, "score": s, "embed": s, "extrapolate": s, "reference": s,
        "prune": s * selected, "retrain": s * (selected + 1),
    }  # fmt: skip


def test_each_task_comes_after_what_it_needs(make_spec: Make) -> None:
    graph = graph_of(make_spec(seeds=[0, 1], **EVERYTHING))
    seen: set[str] = set()
    for task in graph.tasks:
        assert set(task.needs) <= seen, task.id
        seen.add(task.id)
    assert len(seen) == len(graph.tasks)
    assert [t.seed for t in graph.tasks] == sorted(t.seed for t in graph.tasks)


def test_what_each_method_needs(make_spec: Make) -> None:
    graph = graph_of(make_spec(**EVERYTHING, prune={"rates": [0.8, 0.9]}))

    def needs(method: str, policy: str, rate: str) -> set[str]:
        trial = f"s0-{method}-{policy}-r{rate}"
        assert graph[f"retrain-{trial}"].needs == (f"prune-{trial}",)
        return set(graph[f"prune-{trial}"].needs)

    assert needs("knn", "top_k", "0.8000") == {
        "subset-s0",
        "score-s0",
        "embed-s0",
        "extrapolate-s0",
    }
    assert needs("random", "random", "0.8000") == set()
    assert needs("subset_only", "top_k", "0.8000") == {"subset-s0"}  # all of it: no score is read
    assert needs("subset_only", "top_k", "0.9000") == {"subset-s0", "score-s0"}
    assert needs("true_random", "top_k", "0.8000") == {"subset-s0", "score-s0"}
    assert needs("full_scores", "top_k", "0.8000") == {"reference-s0"}
    assert graph["retrain-s0-full-none-r0.0000"].needs == ()
    assert graph["reference-s0"].needs == ()
    assert graph["score-s0"].needs == ("subset-s0",)
    assert set(graph["embed-s0"].needs) == {"subset-s0", "score-s0"}
    assert set(graph["extrapolate-s0"].needs) == {"subset-s0", "score-s0", "embed-s0"}


def test_trial_ids_and_kept_counts(make_spec: Make) -> None:
    found = trials(make_spec(prune={"rates": [0.8, 0.3]}, baselines=["random", "full"]), FACTS, 3)
    assert [(t.id, t.n_keep) for t in found] == [
        ("s3-knn-top_k-r0.3000", n_keep(0.3, 1258)),
        ("s3-knn-top_k-r0.8000", n_keep(0.8, 1258)),
        ("s3-random-random-r0.3000", 881),
        ("s3-random-random-r0.8000", 252),
        ("s3-full-none-r0.0000", 1258),
    ]


@pytest.mark.parametrize(
    ("rates", "subset", "expected"),
    [
        ([0.3, 0.5], {"fraction": 0.2}, [(1 - 200 / 1000, 200)]),
        ([0.3, 0.8], {"fraction": 0.2}, [(0.8, 200)]),
        ([0.8, 0.9, 0.95], {"fraction": 0.2}, [(0.8, 200), (0.9, 100), (0.95, 50)]),
        ([0.5, 0.9], {"fraction": 0.2}, [(0.8, 200), (0.9, 100)]),
        ([0.7], {"n": 123, "fraction": None}, [(1 - 123 / 1000, 123)]),
    ],
)
def test_rates_of_the_subset_alone(
    make_spec: Make, rates: list[float], subset: dict[str, Any], expected: list[tuple[float, int]]
) -> None:
    spec = make_spec(prune={"rates": rates}, subset=subset, baselines=["subset_only"])
    found = [
        (t.rate, t.n_keep)
        for t in trials(spec, DataFacts(1000, 100, 10), 0)
        if t.method == "subset_only"
    ]
    assert [n for _, n in found] == [n for _, n in expected]
    assert [r for r, _ in found] == pytest.approx([r for r, _ in expected], abs=1e-12)


@pytest.mark.parametrize("size", [9_998, 9_999, 10_000, 10_001, 10_002, 10_004])
def test_no_two_trials_share_a_name(make_spec: Make, size: int) -> None:
    facts = DataFacts(50_000, 10_000, 10)
    spec = make_spec(
        subset={"n": size, "fraction": None}, prune={"rates": [0.8, 0.9]}, baselines=["subset_only"]
    )
    ids = [t.id for t in trials(spec, facts, 0)]
    assert len(set(ids)) == len(ids)
    assert "s0-subset_only-top_k-r0.8000" in ids
    assert len(build_graph([(spec, facts)]).tasks) == 4 + 2 * len(ids)


def test_a_scoring_run_shows_its_ids_once_an_epoch_and_once_more_to_record(make_spec: Make) -> None:
    m, batch = 252, 64
    every_epoch = {"name": "dynamic_uncertainty", "window": {"length": 2, "drop_last": False}}

    def passes(record: str, epochs: str = "3ep") -> tuple[int, int]:
        score = {**every_epoch, "record": record, "preset": "paper", "epoch": None, "span": None}
        score = {k: v for k, v in score.items() if v is not None}
        mapping = {**make_spec().to_dict(), "score": score}
        mapping["train"]["epochs"] = epochs
        task = graph_of(parse_spec(mapping))["score-s0"]
        return task.passes, task.extra_passes

    assert passes("train_forward") == (3 * m, 0)
    assert passes("extra_forward") == (6 * m, 3 * m)
    assert passes("eval_pass") == (6 * m, 3 * m)
    steps = 10  # two and a half epochs of four steps
    shown = sample_passes(steps, m, batch)
    assert shown == 2 * m + 2 * batch
    assert passes("train_forward", "10st") == (shown, 0)
    assert passes("extra_forward", "10st") == (2 * shown, shown)
    assert passes("eval_pass", "10st") == (shown + 2 * m, 2 * m)


@pytest.mark.parametrize(
    ("also", "extra"),
    [
        ([], 2),  # el2n reads epochs 0 and 1
        (["loss"], 3),  # and the last one
        (["loss", "entropy"], 3),  # which one pass shows to both
        ([{"name": "aum", "record": "eval_pass", "epoch": 1, "span": 3}], 4),
        ([{"name": "aum", "record": "extra_forward", "epoch": 1, "span": 3}], 2 + 3),
        (["dynamic_uncertainty"], 2 + 12),  # an extra forward in every step
    ],
)
def test_only_passes_that_a_score_reads_are_made(make_spec: Make, also: Any, extra: int) -> None:
    spec = make_spec(train={"epochs": "12ep"}, score={"record": "eval_pass", "also": also})
    task = graph_of(spec)["score-s0"]
    assert (task.passes, task.extra_passes) == ((12 + extra) * 252, extra * 252)


def test_passes_of_everything_else(make_spec: Make) -> None:
    spec = make_spec(retrain={"epochs": "5ep"}, **EVERYTHING)
    graph = graph_of(spec)
    assert graph["embed-s0"].passes == 1258
    assert graph["reference-s0"].passes == 3 * 1258
    assert graph["retrain-s0-full-none-r0.0000"].passes == 5 * 1258
    assert graph["retrain-s0-knn-top_k-r0.3000"].passes == 5 * 881
    for task in graph.tasks:
        if task.stage in ("subset", "extrapolate", "prune"):
            assert task.passes == 0


def test_a_budget_of_steps_takes_as_many_as_full(make_spec: Make) -> None:
    spec = make_spec(retrain={"budget": "steps"})
    graph = graph_of(spec)
    steps = 3 * -(-1258 // 64)
    assert retrain_steps(spec, FACTS, 252) == retrain_steps(spec, FACTS, 1258) == steps
    assert graph["retrain-s0-knn-top_k-r0.8000"].passes == sample_passes(steps, 252, 64)


def test_the_plan_event_lists_every_task(make_spec: Make) -> None:
    task = graph_of(make_spec())["retrain-s0-knn-top_k-r0.3000"]
    assert task.to_dict() == {
        "task": "retrain-s0-knn-top_k-r0.3000", "stage": "retrain", "seed": 0,
        "trial": "s0-knn-top_k-r0.3000", "needs": ["prune-s0-knn-top_k-r0.3000"],
        "sample_passes": 3 * 881,
    }  # fmt: skip


def test_a_subset_must_fit_the_data(make_spec: Make) -> None:
    assert subset_size(make_spec(), FACTS) == 252
    few = make_spec(subset={"n": 9, "fraction": None})
    with pytest.raises(UserError, match="9 samples for 10 classes"):
        build_graph([(few, FACTS)])
    all_of_it = make_spec(subset={"n": 1258, "fraction": None})
    with pytest.raises(UserError, match="not smaller than the 1258"):
        build_graph([(all_of_it, FACTS)])
    with pytest.raises(UserError, match=r"0\.9999 of 1258 samples keeps none"):
        build_graph([(make_spec(prune={"rates": [0.9999]}), FACTS)])


def shared(*specs: Spec) -> tuple[Graph, set[str]]:
    """The graph of several cells, and the ids of the tasks that all of them share."""
    graph = build_graph([(spec, FACTS) for spec in specs])
    everyone = tuple(range(len(specs)))
    return graph, {t.id for t in graph.tasks if t.cells == everyone}


def test_equal_cells_are_one(make_spec: Make) -> None:
    one = graph_of(make_spec(**EVERYTHING))
    graph, both = shared(make_spec(**EVERYTHING), make_spec(name="other", **EVERYTHING))
    assert [t.id for t in graph.tasks] == [t.id for t in one.tasks]
    assert both == {t.id for t in one.tasks}
    assert [t.passes for t in graph.tasks] == [t.passes for t in one.tasks]


def test_cells_of_two_models_share_subsets_and_random_choices(make_spec: Make) -> None:
    graph, both = shared(make_spec(), make_spec(model={"name": "convnet"}))
    assert both == {
        "subset-s0", "prune-s0-random-random-r0.3000", "prune-s0-random-random-r0.8000",
    }  # fmt: skip
    ids = [t.id for t in graph.tasks]
    assert len(set(ids)) == len(ids) == 2 * len(graph_of(make_spec()).tasks) - 3
    for task in graph.tasks:
        for need in task.needs:
            assert set(task.cells) <= set(graph[need].cells)


def test_cells_of_two_policies_share_all_but_what_the_policy_chose(make_spec: Make) -> None:
    graph, both = shared(
        make_spec(**EVERYTHING), make_spec(prune={"policy": "random"}, **EVERYTHING)
    )
    split = {t.trial.method for t in graph.tasks if t.trial and len(t.cells) == 1}
    assert {t.id for t in graph.tasks if not t.trial} <= both
    assert split == {"knn", "true_random", "full_scores", "subset_only"}


def test_cells_of_two_scores_share_the_training_but_no_selection_by_score(make_spec: Make) -> None:
    other = {
        "train": {"epochs": "12ep"},
        "score": {"name": "el2n", "preset": "paper", "record": "eval_pass"},
    }
    first = make_spec(train={"epochs": "12ep"}, score={"record": "extra_forward"}, **EVERYTHING)
    second = make_spec(**other, **EVERYTHING)
    graph, both = shared(first, second)
    assert {"subset-s0", "score-s0", "reference-s0", "embed-s0"} <= both
    assert "extrapolate-s0" not in both
    for method in ("knn", "true_random", "full_scores"):
        tasks = [t for t in graph.tasks if t.trial and t.trial.method == method]
        assert tasks and all(len(t.cells) == 1 for t in tasks), method
    random = [t for t in graph.tasks if t.trial and t.trial.method in ("random", "full")]
    assert all(t.cells == (0, 1) for t in random)
    # one training records both: an extra forward a step and a pass an epoch
    assert len(graph["score-s0"].scores) == 2
    assert graph["score-s0"].passes == (12 + 2 + 2) * 252
    assert graph["reference-s0"].extra_passes == (2 + 2) * 1258


def test_subset_sizes_split_everything_drawn_from_it(make_spec: Make) -> None:
    specs = [make_spec(subset={"fraction": f}) for f in (0.1, 0.2, 0.4)]
    graph, every = shared(*specs)
    assert all(
        t.startswith(("prune-s0-random", "retrain-s0-random", "retrain-s0-full")) for t in every
    )
    for first, second in pairwise(range(3)):
        assert not any({first, second} <= set(t.cells) for t in graph.tasks if t.id not in every)
    assert [len(graph.of_cell(i)) for i in range(3)] == [len(graph_of(s).tasks) for s in specs]
    assert all(graph.spec_of(t) is specs[t.cells[0]] for t in graph.tasks)


def test_neighbours_are_found_once_and_only_for_who_reads_them(make_spec: Make) -> None:
    graph = graph_of(make_spec(extrapolate={"name": "propagate", "k": 7}, **EVERYTHING))
    assert graph["neighbors-s0"].needs == ("embed-s0",)
    assert "neighbors-s0" in graph["extrapolate-s0"].needs
    assert "neighbors" not in counts(graph_of(make_spec()))
    cells = [
        (make_spec(extrapolate={"name": name, "k": k}), FACTS)
        for name, k in (("propagate", 7), ("label_propagation", 7), ("propagate", 8))
    ]
    assert counts(build_graph(cells))["neighbors"] == 2
    open_k = [graph_neighbors(make_spec(extrapolate={"name": n})) for n in ("propagate", "knn")]
    assert open_k == [10, None]
    several = {"name": "auto", "methods": ["ridge", "propagate", "label_propagation"]}
    assert graph_neighbors(make_spec(extrapolate=several)) == 20
