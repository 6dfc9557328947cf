"""Many specs planned together, against each planned alone and united by an obvious loop."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from core.errors import UserError
from core.facts import DataFacts
from core.needs import MEASURED
from core.plan.build import build_graph
from core.plan.tasks import Graph, Task
from core.spec import ExtrapolateSpec, Spec
from core.spec_load import parse_spec
from core.uniting import Blocks

Make = Callable[..., Spec]
Cells = Sequence[tuple[Spec, DataFacts]]
FACTS = DataFacts(1258, 539, 10, "f")
COUNT = 200
AUM = {"name": "aum", "span": 3}
CHANGES: dict[str, list[dict[str, Any]]] = {
    "data": [{}, {"seed": 1}],
    "model": [{}, {"name": "convnet"}],
    "subset": [{}, {"fraction": 0.3}, {"fraction": 0.3, "how": "class_balanced"}],
    "train": [{}, {"batch": 64}],
    "score": [
        {}, {"record": "eval_pass", "span": 1}, {"also": [AUM]}, {"nets": 2}, {"cross_fit": 3},
    ],
    "embed": [{}, {"from": "e.npy"}, {"from": {"name": "linear", "weights": "w.pt"}}],
    "extrapolate": [
        {}, {"k": 7}, {"name": "propagate", "k": 7}, {"name": "ridge"}, {"name": "dynamics"},
    ],
    "prune": [{}, {"policy": "moderate"}, {"policy": "graph", "k": 9}, {"rates": [0.5]}],
    "retrain": [{}, {"batch": 64}, {"budget": "steps"}, {"budget": "seconds"}],
    "compute": [{}, {"precision": "bf16"}],
}  # fmt: skip
ONLY: dict[str, list[dict[str, Any]]] = {
    "score": [{"name": "random"}, {"name": "prototypicality"}],
}
OTHERS: dict[str, list[Any]] = {
    "seeds": [(0,), (1, 0)],
    "baselines": [("random",), ("full", "subset_only", "true_random", "rs2"), ("direct",)],
    "reference": ["none", "full"],
}


@pytest.fixture(scope="module")
def cells(plain_spec: Callable[..., dict[str, Any]]) -> Cells:
    """Some hundred specs that share sections, as those of a sweep do, of two datasets."""
    plain = plain_spec(train={"epochs": "4ep"}, baselines=["random", "full"])
    sections: dict[str, list[Any]] = dict(OTHERS)
    for key, changes in CHANGES.items():
        given = [{**plain.get(key, {}), **change} for change in changes] + ONLY.get(key, [])
        sections[key] = [getattr(_parsed(plain, key, one), key) for one in given]
    origin, draw, found = parse_spec(plain), random.Random(0), []
    facts = [FACTS, DataFacts(2000, 100, 10, "g")]
    while len(found) < COUNT:
        chosen = {key: draw.choice(options) for key, options in sections.items()}
        if chosen["score"].name in ("random", "prototypicality"):
            chosen["extrapolate"] = ExtrapolateSpec(name=MEASURED)
        if chosen["score"].name == "random":  # comes without a net, so without embeddings
            chosen["prune"] = sections["prune"][-1]
        if chosen["retrain"].budget == "seconds":  # the time that full takes
            chosen["baselines"] = OTHERS["baselines"][1]
        cell = (origin.model_copy(update=chosen), draw.choice(facts))
        if _fits(cell):
            found.append(cell)
    return found


def _parsed(plain: dict[str, Any], key: str, section: dict[str, Any]) -> Spec:
    given = {**plain, key: section}
    if section.get("name") == "dynamics":
        given["score"] = {**plain["score"], "cross_fit": 3}
    elif "cross_fit" in section:
        given["extrapolate"] = {"name": "dynamics"}
    return parse_spec(given)


def _fits(cell: tuple[Spec, DataFacts]) -> bool:
    try:
        build_graph([cell])
    except UserError:  # a baseline that the score does not go with
        return False
    return True


def united(cells: Cells) -> Graph:
    """The slow, obvious way: specs that share no object, each planned alone."""
    tasks: dict[str, Task] = {}
    names: list[dict[str, str]] = []
    for index, (spec, facts) in enumerate(cells):
        ids: dict[str, str] = {}
        for task in build_graph([(spec.model_copy(deep=True), facts)]).tasks:
            known = tasks.get(task.identity)
            if known is None:
                taken = any(other.id == task.id for other in tasks.values())
                unique = f"{task.id}-{task.identity[:8]}" if taken else task.id
                known = replace(task, id=unique, needs=tuple(ids[n] for n in task.needs), cells=())
            scores = (*known.scores, *(s for s in task.scores if s not in known.scores))
            known = replace(known, cells=(*known.cells, index), scores=scores)
            tasks[task.identity] = known
            ids[task.id] = known.id
        names.append(ids)
    specs, facts_of_all = zip(*cells, strict=True)
    return Graph(tuple(tasks.values()), specs, facts_of_all, tuple(names))


def test_many_specs_give_the_graph_of_each_alone_united(cells: Cells) -> None:
    graph, plain = build_graph(cells), united(cells)
    assert [list(n.items()) for n in graph.names] == [list(n.items()) for n in plain.names]
    assert len(graph.tasks) > 1000 and any(len(t.cells) > 9 for t in graph.tasks)
    for task, other in zip(graph.tasks, plain.tasks, strict=True):
        if len(task.scores) > 1:  # counted for all its cells' scores: by hand in test_plan.py
            assert task.passes - task.extra_passes == other.passes - other.extra_passes
            other = replace(other, passes=task.passes, extra_passes=task.extra_passes)
        assert task == other


def test_the_order_of_cells_changes_no_task(cells: Cells) -> None:
    def about(given: Cells) -> set[tuple[Any, ...]]:
        return {(t.identity, t.passes, len(t.cells)) for t in build_graph(given).tasks}

    assert about(cells) == about(list(reversed(cells)))


def test_a_block_is_made_once_for_all_with_the_same_sections(make_spec: Make) -> None:
    asked: list[tuple[Any, int]] = []

    def make(spec: Spec, seed: int) -> int:
        asked.append((spec.model.name, seed))
        return len(asked)

    blocks, one = Blocks(make, ("model", "train")), make_spec()
    other = one.model_copy(update={"prune": make_spec(prune={"rates": [0.5]}).prune})
    further = one.model_copy(update={"model": make_spec(model={"name": "convnet"}).model})
    assert [blocks.of(s, 0) for s in (one, other, further, one)] == [1, 1, 2, 1]
    assert blocks.of(one, 1) == 3
    assert asked == [("linear", 0), ("convnet", 0), ("linear", 1)]


def test_a_block_of_one_section_tells_specs_apart_that_nobody_keeps(make_spec: Make) -> None:
    blocks = Blocks(lambda spec: spec.train.batch, ("train",))
    assert [blocks.of(make_spec(train={"batch": b})) for b in range(8, 16)] == list(range(8, 16))


def test_a_block_cannot_read_what_it_is_not_remembered_by(make_spec: Make) -> None:
    blocks = Blocks(lambda spec: spec.prune.rates, ("model", "train"))
    with pytest.raises(AttributeError, match="prune"):
        blocks.of(make_spec())
