"""Axes, their product, and every problem of every cell at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.errors import UserError
from core.spec_load import SpecError, parse_spec
from core.sweep_product import combined_specs
from core.sweep_spec import parse_sweep, read_sweep

Plain = Callable[..., dict[str, Any]]
AXES = {"extrapolate.k": [5, 10], "prune.policy": ["top_k", "class_balanced", "random"]}


def test_cells_are_the_product_with_the_last_axis_fastest(plain_spec: Plain) -> None:
    cells = parse_sweep(plain_spec(sweep={"axes": AXES})).cells()
    assert [(c.spec.extrapolate.params["k"], c.spec.prune.policy) for c in cells] == [
        (k, policy) for k in AXES["extrapolate.k"] for policy in AXES["prune.policy"]
    ]
    assert [c.id for c in cells][:2] == ["00-5-top_k", "01-5-class_balanced"]
    assert len({c.id for c in cells}) == len(cells)


def test_a_cell_is_what_the_spec_would_be_with_its_settings_written_in(plain_spec: Plain) -> None:
    cell = parse_sweep(plain_spec(sweep={"axes": AXES})).cells()[3]
    alone = parse_spec(plain_spec(extrapolate={"k": 10}, prune={"policy": "top_k"}))
    assert cell.spec == alone
    assert cell.settings == {"extrapolate.k": 10, "prune.policy": "top_k"}


def test_a_change_of_the_score_drops_the_options_of_the_former_one(plain_spec: Plain) -> None:
    spec = plain_spec(train={"epochs": "12ep"})
    axes = ["score.name=el2n,dynamic_uncertainty"]
    one, other = parse_sweep(spec, (), axes).cells()
    assert one.spec.score.params["span"] == 2
    assert "span" not in other.spec.score.params
    assert other.spec.score.window is not None


def test_an_axis_of_the_command_line_replaces_the_presets(plain_spec: Plain) -> None:
    sweep = parse_sweep(plain_spec(sweep={"axes": AXES}), ["seeds=[3]"], ["extrapolate.k=7"])
    assert dict(sweep.axes) == {**AXES, "extrapolate.k": [7]}
    assert {c.spec.seeds for c in sweep.cells()} == {(3,)}


def test_what_sweep_yaml_holds_gives_the_same_cells(plain_spec: Plain, tmp_path: Path) -> None:
    sweep = parse_sweep(plain_spec(sweep={"axes": AXES}))
    (tmp_path / "sweep.yaml").write_text(sweep.to_yaml())
    assert read_sweep(tmp_path / "sweep.yaml").cells() == sweep.cells()


def test_problems_of_all_cells_are_told_once_with_where_they_are(plain_spec: Plain) -> None:
    spec = plain_spec(prune={"rates": [1.5]})
    axes = ["train.batch=5,0", "prune.policy=top_k,topk"]
    with pytest.raises(SpecError) as told:
        parse_sweep(spec, (), axes).cells()
    text = str(told.value)
    assert text.count("1.5 is not between 0 and 1") == 1
    assert "did you mean 'top_k'? (in 2 of 4 cells, such as train.batch=5, " in text
    assert "train.batch" in text and "such as train.batch=0, prune.policy=top_k" in text


@pytest.mark.parametrize(
    ("axes", "said"),
    [
        ([], "nothing varies"),
        (["seeds=0,1"], "seeds are replicates inside every cell"),
        (["prune.rates=0.1,0.2"], "every cell runs all rates"),
        (["compute.threads=1,2"], "slots divide the threads"),
        (["tracking.uri=a,b"], "tracking changes no result"),
        (["extrapolat.k=1,2"], "did you mean 'extrapolate'?"),
        (["extrapolate.k=5,5"], "a value is given twice"),
        (["extrapolate.k="], "it has no values"),
        (["extrapolate.k"], "is not key=a,b"),
        (["extrapolate.k=[1"], "not valid YAML"),
        (["extrapolate.k=5,10", "extrapolate.kk=1,2"], "did you mean 'k'?"),
        (["subset.fraction=0.2,0.20001", "subset.fraction=0.2"], ""),
        (["train.optimizer.lr=0.1,0.10", "prune.policy=random"], "a value is given twice"),
    ],
)
def test_axes_that_cannot_be_are_refused(plain_spec: Plain, axes: list[str], said: str) -> None:
    if not said:  # the control: the last one given counts, and it is fine
        assert len(parse_sweep(plain_spec(), (), axes).cells()) == 1
        return
    with pytest.raises(UserError, match=_literally(said)):
        parse_sweep(plain_spec(), (), axes).cells()


def test_cells_that_are_the_same_run_are_refused(plain_spec: Plain) -> None:
    axes = ["train.optimizer={name: sgd},{name: sgd, lr: 0.1}", "extrapolate.k=5"]
    with pytest.raises(SpecError, match="are the same run"):  # 0.1 is the default
        parse_sweep(plain_spec(), (), axes).cells()


def test_an_axis_cannot_be_set_as_well(plain_spec: Plain) -> None:
    with pytest.raises(SpecError, match="it is an axis of this sweep"):
        parse_sweep(plain_spec(sweep={"axes": AXES}), ["prune.policy=random"])


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ([1], "give axes"),
        ({"axis": {}}, "give axes"),
        ({"axes": AXES, "axis": 1}, "did you mean 'axes'?"),
        ({"axes": {"extrapolate.k": 5}}, "give a list of values"),
    ],
)
def test_a_wrong_section_is_refused(plain_spec: Plain, section: Any, said: str) -> None:
    with pytest.raises(SpecError, match=_literally(said)):
        parse_sweep(plain_spec(sweep=section))


def _literally(text: str) -> str:
    return re.escape(text)


@pytest.mark.parametrize(
    ("axes", "apart"),
    [
        (["extrapolate.k=5,10,20", "prune.policy=top_k,random", "train.batch=32,64"], True),
        (["train.batch=32,64", "prune.policy=top_k,random", "retrain.batch=16,128"], True),
        (["extrapolate.k=5,10", "extrapolate.weights=mean,auto", "subset.fraction=0.1,0.3"], True),
        (["train.optimizer={name: sgd},{name: sgd, lr: 0.1}", "extrapolate.k=5"], False),
        (["reference=none,full", "baselines=[random],[random, full_scores]"], False),
    ],
)
def test_specs_put_together_are_those_read_one_by_one(
    plain_spec: Plain, axes: list[str], apart: bool
) -> None:
    sweep = parse_sweep(plain_spec(), (), axes)
    together = combined_specs(sweep.base, sweep.axes, sweep.name)
    assert (together is not None) == apart  # equal or impossible cells are for the slow way to tell
    if together is not None:
        assert tuple(together) == tuple(cell.spec for cell in sweep.cells())


def test_very_many_cells_have_the_ids_and_settings_of_the_slow_way(
    plain_spec: Plain, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = parse_sweep(plain_spec(sweep={"axes": AXES}))
    slow = sweep.cells()
    monkeypatch.setattr("core.sweep_spec._READ_WHOLE", 0)
    assert sweep.cells() == slow
