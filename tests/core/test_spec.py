"""What the user wrote is checked at once and in full; what was left out is filled in."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from core.errors import UserError
from core.spec import Spec, TrackingSpec
from core.spec_load import SpecError, parse_spec, read_yaml
from core.spec_set import override

Plain = Callable[..., dict[str, Any]]
Make = Callable[..., Spec]


def problems(mapping: Any) -> list[str]:
    with pytest.raises(SpecError) as caught:
        parse_spec(mapping)
    assert caught.value.exit_code == 2
    return caught.value.problems


def only(mapping: Any) -> str:
    found = problems(mapping)
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize(
    ("section", "key", "nearest"),
    [
        ("train", "epoch_s", "epochs"),
        ("train", "bacth", "batch"),
        ("subset", "fracton", "fraction"),
        ("score", "presset", "preset"),
        ("score", "spam", "span"),
        ("data", "test_fracton", "test_fraction"),
        ("prune", "rate", "rates"),
        ("extrapolate", "metrc", "metric"),
        ("compute", "devices", "device"),
        ("retrain", "budgett", "budget"),
    ],
)
def test_a_misspelt_key_names_the_nearest(
    plain_spec: Plain, section: str, key: str, nearest: str
) -> None:
    said = only(plain_spec(**{section: {key: 1}}))
    assert said.startswith(f"{section}.{key}: no such key")
    assert f"did you mean '{nearest}'?" in said


def test_misspelt_sections_nested_keys_and_names(plain_spec: Plain) -> None:
    assert "did you mean 'retrain'?" in only(plain_spec(retrian={"epochs": "3ep"}))
    assert "train.optimizer.learning_rte" in only(
        plain_spec(train={"optimizer": {"learning_rte": 1}})
    )
    said = only(plain_spec(train={"schedule": {"warmupp": 0.1}}))
    assert said == "train.schedule.warmupp: no such key; did you mean 'warmup'?"
    assert "did you mean 'linear'?" in only(plain_spec(model={"name": "liner"}))
    assert "did you mean 'top_k'?" in only(plain_spec(prune={"policy": "topk"}))
    assert "did you mean 'ccs'?" in only(plain_spec(score={"preset": "cccs"}))
    assert "did you mean 'digits'?" in only(plain_spec(data={"name": "digit"}))


def test_a_sweep_is_not_run_as_one(plain_spec: Plain) -> None:
    said = only(plain_spec(sweep={"axes": {"score.name": ["el2n"]}}))
    assert said == "sweep: a sweep is many runs; start it with `prunectl sweep`"


@pytest.mark.parametrize(
    ("over", "path"),
    [
        ({"train": {"batch": "many"}}, "train.batch"),
        ({"train": {"batch": 0}}, "train.batch"),
        ({"train": {"epochs": 15}}, "train.epochs"),
        ({"train": {"optimizer": {"name": "sgdd"}}}, "train.optimizer.name"),
        ({"train": {"optimizer": {"lr": -1}}}, "train.optimizer.lr"),
        ({"train": {"optimizer": {"lr": float("nan")}}}, "train.optimizer.lr"),
        ({"train": 3}, "train"),
        ({"seeds": "all"}, "seeds"),
        ({"seeds": [1.5]}, "seeds.0"),
        ({"prune": {"rates": 0.3}}, "prune.rates"),
        ({"prune": {"rates": ["much"]}}, "prune.rates.0"),
        ({"score": {"span": "two"}}, "score.span"),
        ({"extrapolate": {"k": "some"}}, "extrapolate.k"),
        ({"compute": {"device": "gpu"}}, "compute.device"),
        ({"compute": {"checkpoint_every": 600}}, "compute.checkpoint_every"),
        ({"subset": {"how": "labeled"}}, "subset.how"),
        ({"retrain": {"budget": "minutes"}}, "retrain.budget"),
        ({"baselines": ["randomm"]}, "baselines.0"),
        ({"reference": True}, "reference"),
        ({"name": "a/b"}, "name"),
        ({"model": {"name": 5}}, "model.name"),
        ({"score": {"preset": ["ccs"]}}, "score.preset"),
        ({"score": {"also": [["loss"]]}}, "score.also"),
    ],
)
def test_a_wrong_value_is_named_by_its_path(plain_spec: Plain, over: Any, path: str) -> None:
    found = problems(plain_spec(**over))
    assert found and all(p.startswith(path) for p in found), found


def test_what_a_retraining_inherits_is_not_blamed_twice(plain_spec: Plain) -> None:
    assert only(plain_spec(train={"batch": 0})).startswith("train.batch")
    found = problems(plain_spec(train={"batch": 0}, retrain={"batch": 0}))
    assert [p.split(":")[0] for p in found] == ["train.batch", "retrain.batch"]


def test_evaluate_takes_end_or_a_duration(plain_spec: Plain, make_spec: Make) -> None:
    assert make_spec(train={"evaluate": "end"}).train.evaluate == "end"
    assert str(make_spec(train={"evaluate": "2ep"}).train.evaluate) == "2ep"
    assert all("evaluate" in p for p in problems(plain_spec(train={"evaluate": "sometimes"})))


def test_ten_problems_are_listed_together(plain_spec: Plain) -> None:
    mapping = plain_spec(
        data={"sise": 8},
        model={"name": "liner"},
        seeds=["x"],
        subset={"fraction": 2},
        train={"batch": "many", "epochs": 3},
        score={"presets": "ccs"},
        compute={"device": "gpu", "thread": 1},
        reference="half",
        sweep={"axes": {}},
    )
    found = problems(mapping)
    for path in (
        "data.sise", "model.name", "seeds.0", "subset.fraction", "train.batch", "train.epochs",
        "score.presets", "compute.device", "compute.thread", "reference", "sweep",
    ):  # fmt: skip
        assert any(p.startswith(f"{path}:") for p in found), path
    with pytest.raises(SpecError) as caught:
        parse_spec(mapping, "my.yaml")
    assert str(caught.value).startswith(f"{len(found)} problems in my.yaml:\n  - ")
    assert str(caught.value).count("\n") == len(found)


@pytest.mark.parametrize("rate", [0, 1, -0.1, 1.5, float("nan")])
def test_a_rate_outside_zero_and_one_is_refused(plain_spec: Plain, rate: float) -> None:
    assert "is not between 0 and 1" in only(plain_spec(prune={"rates": [0.5, rate]}))


def test_rates_must_differ(plain_spec: Plain) -> None:
    assert "four decimals" in only(plain_spec(prune={"rates": [0.3, 0.30001]}))
    assert "at least one" in only(plain_spec(prune={"rates": []}))


def test_contradictions_between_keys(plain_spec: Plain) -> None:
    assert "set reference: full" in only(plain_spec(baselines=["full_scores"]))
    parse_spec(plain_spec(baselines=["full_scores"], reference="full"))
    assert "either fraction or n" in only(plain_spec(subset={"n": 100}))
    assert "either fraction or n" in only(plain_spec(subset={"fraction": None}))
    assert "different" in only(plain_spec(seeds=[1, 1]))
    assert "none negative" in only(plain_spec(seeds=[-1]))
    assert "one or more" in only(plain_spec(seeds=[]))
    assert "at most once" in only(plain_spec(baselines=["full", "full"]))
    also = {"also": ["el2n"]}
    assert "already the score itself" in only(plain_spec(score=also))


def test_a_budget_of_seconds_needs_full(plain_spec: Plain) -> None:
    changed = plain_spec(retrain={"budget": "seconds"}, baselines=["random"])
    said = "retrain.budget: seconds is the time that full takes; add full to baselines"
    assert only(changed) == said
    assert parse_spec({**changed, "baselines": ["full"]}).retrain.budget == "seconds"
    assert "full" in parse_spec(plain_spec(retrain={"budget": "seconds"})).baselines  # the default


def test_augmentations_are_checked(plain_spec: Plain) -> None:
    found = only(plain_spec(train={"augment": ["crop:4", "flop", "cutout:many"]}))
    assert found.startswith("train.augment: 'flop' is unknown; did you mean 'flip'?; 'cutout:many'")
    assert "whole number" in found


def test_a_window_longer_than_the_training_is_refused(plain_spec: Plain) -> None:
    mapping = plain_spec(train={"epochs": "10ep"})
    mapping["score"] = {"name": "dynamic_uncertainty", "preset": "paper"}
    assert "needs 11 epochs" in only(mapping)
    mapping["train"]["epochs"] = "11ep"
    parse_spec(mapping)


def test_a_preset_fills_record_and_window(plain_spec: Plain) -> None:
    mapping = plain_spec(train={"epochs": "15ep"})
    mapping["score"] = {"name": "dynamic_uncertainty", "preset": "legacy_se"}
    score = parse_spec(mapping).score
    assert score.record == "train_forward"
    assert score.window is not None
    assert score.window.model_dump() == {"length": 10, "ddof": 0, "skip": 2, "drop_last": False}


def test_a_written_key_wins_over_the_preset(plain_spec: Plain) -> None:
    mapping = plain_spec(train={"epochs": "15ep"})
    mapping["score"] = {
        "name": "dynamic_uncertainty", "preset": "paper", "record": "eval_pass",
        "window": {"length": 5},
    }  # fmt: skip
    score = parse_spec(mapping).score
    assert score.record == "eval_pass"
    assert score.window is not None
    assert score.window.model_dump() == {"length": 5, "ddof": 1, "skip": 0, "drop_last": True}
    assert parse_spec(plain_spec()).score.params == {"epoch": 0, "span": 2}


def test_the_first_preset_is_taken_when_none_is_named(plain_spec: Plain) -> None:
    mapping = plain_spec(train={"epochs": "15ep"})
    mapping["score"] = {"name": "dynamic_uncertainty"}
    assert parse_spec(mapping).score.preset == "paper"
    mapping["score"]["also"] = ["el2n"]
    (also,) = parse_spec(mapping).score.also
    assert (also.name, also.preset, also.record) == ("el2n", "paper", "eval_pass")
    assert also.params == {"epoch": 9, "span": 1}


def test_a_further_score_takes_settings_of_its_own(plain_spec: Plain) -> None:
    also = ["loss", {"name": "aum", "preset": "ccs", "span": 2}]
    spec = parse_spec(plain_spec(score={"also": also}))
    assert spec.score.names == ("el2n", "loss", "aum")
    assert spec.score.also[1].record == "train_forward"
    assert spec.score.also[1].params == {"margin": "probabilities", "epoch": 0, "span": 2}
    assert parse_spec(spec.to_dict()) == spec


@pytest.mark.parametrize(
    ("also", "said"),
    [
        (["aumm"], "no score is called 'aumm'; did you mean 'aum'"),
        (["aum", {"name": "aum", "preset": "ccs"}], "'aum' is listed twice"),
        ([{"name": "aum", "preset": "ccz"}], "aum has no preset 'ccz'; did you mean 'ccs'"),
        ([{"name": "aum", "margn": "logits"}], "score.also.margn: no such key"),
        ([{"name": "aum", "nets": 2}], "score.also.nets: no such key"),
        ([{"name": "aum", "span": 4}], "score.also: aum reads 4 epochs"),
        (["tdds"], "score.also: tdds reads 30 epochs"),
        ([{"name": "dual", "span": 3}], "needs 10 epochs"),
    ],
)
def test_a_wrong_further_score_is_one_line(plain_spec: Plain, also: Any, said: str) -> None:
    assert said in only(plain_spec(score={"also": also}))


def test_a_retraining_takes_from_train_what_is_not_given(make_spec: Make) -> None:
    same = make_spec(train={"augment": ["flip"]}).retrain
    assert (str(same.epochs), same.batch, same.augment, same.budget) == (
        "3ep", 64, ("flip",), "epochs",
    )  # fmt: skip
    spec = make_spec(
        train={"optimizer": {"lr": 0.3, "weight_decay": 0.01}},
        retrain={"epochs": "9ep", "optimizer": {"lr": 0.2}},
    )
    assert str(spec.train.epochs) == "3ep" and str(spec.retrain.epochs) == "9ep"
    assert spec.retrain.optimizer.lr == 0.2
    assert spec.retrain.optimizer.weight_decay == 0.01
    other = make_spec(
        train={"optimizer": {"momentum": 0.5}}, retrain={"optimizer": {"name": "adam"}}
    )
    assert other.retrain.optimizer.momentum == 0.9  # another optimiser's settings do not carry over


def test_a_number_written_with_an_exponent(plain_spec: Plain) -> None:
    lr = yaml.safe_load("lr: 1e-3")["lr"]
    assert lr == "1e-3"  # YAML takes it for a text
    assert parse_spec(plain_spec(train={"optimizer": {"lr": lr}})).train.optimizer.lr == 1e-3


def test_a_spec_survives_being_written_and_read(plain_spec: Plain, tmp_path: Path) -> None:
    mapping = plain_spec(
        train={"epochs": "15ep", "augment": ["crop:2", "flip"], "evaluate": "1ep"},
        retrain={"epochs": "300st"},
        data={"root": "some/folder", "seed": 3},
        compute={"checkpoint_every": "10m"},
        extrapolate={"k": 7},
    )
    mapping["score"] = {"name": "dynamic_uncertainty", "also": ["el2n"]}
    spec = parse_spec(mapping)
    assert parse_spec(spec.to_dict()) == spec
    (tmp_path / "spec.yaml").write_text(spec.to_yaml(), encoding="utf-8")
    again = parse_spec(read_yaml(tmp_path / "spec.yaml"))
    assert again == spec
    assert again.to_dict() == spec.to_dict()


def test_parsing_leaves_the_mapping_alone(plain_spec: Plain) -> None:
    mapping = plain_spec(score={"window": {"lenght": 3}}, retrain={"optimizer": {"lr": 0.2}})
    before = copy.deepcopy(mapping)
    with pytest.raises(SpecError):
        parse_spec(mapping)
    assert mapping == before


def test_a_spec_cannot_be_changed(make_spec: Make) -> None:
    spec = make_spec()
    with pytest.raises(ValidationError):
        spec.name = "other"
    with pytest.raises(ValidationError):
        spec.train.batch = 1


@pytest.mark.parametrize("mapping", [None, 3, "text", [1]])
def test_something_that_is_no_mapping(mapping: Any) -> None:
    assert "not a mapping" in only(mapping)


def test_an_empty_spec_names_what_is_missing() -> None:
    found = problems({})
    assert {p for p in found if p.endswith(": missing")} >= {
        f"{s}: missing" for s in ("data", "model", "subset", "train", "score", "prune")
    }


def test_identity_is_of_results_only(make_spec: Make) -> None:
    base = make_spec().identity()
    idle = [
        {"name": "other"},
        {"compute": {"device": "cuda:0"}},
        {"compute": {"threads": 3}},
        {"compute": {"keep_models": "all"}},
        {"compute": {"checkpoint_every": "5s"}},
    ]
    telling = [
        {"seeds": [1]},
        {"train": {"batch": 65}},
        {"compute": {"precision": "fp32"}},
        {"compute": {"deterministic": False}},
    ]
    assert all(make_spec(**over).identity() == base for over in idle)
    assert len({make_spec(**over).identity() for over in telling} | {base}) == len(telling) + 1


def test_overrides_set_values_in_yaml(plain_spec: Plain) -> None:
    mapping = plain_spec()
    before = copy.deepcopy(mapping)
    changed = override(
        mapping,
        ["train.epochs=20ep", "prune.rates=[0.5]", "train.schedule.warmup=0.1", "tracking.x=null"],
    )
    assert changed["train"]["epochs"] == "20ep"
    assert changed["prune"]["rates"] == [0.5]
    assert changed["train"]["schedule"] == {"warmup": 0.1}
    assert changed["tracking"] == {"enabled": False, "x": None}
    assert changed["train"]["batch"] == 64
    assert mapping == before


def test_naming_another_plugin_drops_the_options_of_the_former(plain_spec: Plain) -> None:
    mapping = plain_spec(train={"epochs": "15ep"}, model={"name": "convnet", "width": 8})
    linear = override(mapping, ["model.name=linear"])
    assert linear["model"] == {"name": "linear"}
    same = override(mapping, ["model.name=convnet"])
    assert same["model"] == {"name": "convnet", "width": 8}
    other = override(mapping, ["score.name=dynamic_uncertainty"])
    assert other["score"] == {"name": "dynamic_uncertainty"}  # the preset was the other score's
    assert parse_spec(other).score.preset == "paper"
    wrong = override(mapping, ["model.name=liner"])
    assert wrong["model"] == {"name": "liner", "width": 8}
    assert "did you mean 'linear'?" in only(wrong)


@pytest.mark.parametrize("text", ["train.epochs", "=3", "train.epochs=[", "name.x=3"])
def test_a_malformed_override_is_refused(plain_spec: Plain, text: str) -> None:
    with pytest.raises(UserError, match="--set"):
        override(plain_spec(), [text])


def test_a_yaml_file_with_a_fault_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("name: x\ntrain: [1, 2\nscore: y\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"bad\.yaml is not valid YAML at line 3, column"):
        read_yaml(file)
    file.write_text("- a\n", encoding="utf-8")
    with pytest.raises(UserError, match="no mapping"):
        read_yaml(file)
    file.write_bytes(b"name: \xff\xfe\n")
    with pytest.raises(UserError, match="cannot read"):
        read_yaml(file)
    with pytest.raises(UserError, match="cannot read"):
        read_yaml(tmp_path / "missing.yaml")


def test_tracking_is_on_by_default_and_never_part_of_a_result(make_spec: Make) -> None:
    assert Spec.model_fields["tracking"].default == TrackingSpec(enabled=True)
    plain = make_spec(tracking={"enabled": False})
    elsewhere = make_spec(tracking={"enabled": True, "uri": "http://h:1", "experiment": "x"})
    assert plain.identity() == elsewhere.identity()
    assert elsewhere.tracking.experiment == "x"
