"""The form as data: fields from the spec, edits, problems, the command line, saved presets."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from core.errors import UserError
from core.runs import runs_folder
from core.spec import Spec
from core.spec_load import parse_spec, read_yaml
from prunectl.presets import find_preset, load_spec
from prunectl.tui.fields import Field, text_of
from prunectl.tui.form import Form, preset_choices, save_preset
from prunectl.tui.form_sweep import SweepForm, open_form


@pytest.fixture
def form() -> Form:
    return Form.open("quickstart")


def _field(form: Form, path: str) -> Field:
    return next(f for f in form.check().fields if f.path == path)


def _as_started(form: Form) -> Spec:
    """The spec that the command line would start."""
    words = shlex.split(form.command())
    assert words[:3] == ["prunectl", "run", form.source]
    assert words[3::2] == ["--set"] * len(words[3::2])
    return load_spec(words[2], words[4::2])


def test_every_preset_opens_without_problems_and_the_plain_command() -> None:
    for name, about in preset_choices():
        form = open_form(name)
        assert form.check().problems == () and about
        if isinstance(form, SweepForm):
            assert form.command() == f"prunectl sweep {name}"
            continue
        assert form.command() == f"prunectl run {name}"
        assert form.check().spec == load_spec(name)


def test_fields_know_type_range_choices_and_help(form: Form) -> None:
    assert _field(form, "compute.deterministic").kind == "switch"
    assert _field(form, "train.optimizer.name").choices == ("sgd", "adam", "adamw")
    assert _field(form, "score.window.ddof").choices == ("0", "1")
    assert _field(form, "data.size").takes == "whole number or null, at least 4, at most 1024"
    assert _field(form, "train.batch").help == "Samples a step."
    assert "convnet" in _field(form, "model.name").choices
    assert _field(form, "extrapolate.k").takes == "whole number or auto"


def test_a_source_of_embeddings_is_text_or_a_mapping(form: Form) -> None:
    assert _field(form, "embed.from").takes == "text or {key: value}"
    form.set("embed.from", "{name: torchvision, weights: r18.pth}")
    assert form.check().problems == ()
    assert form.text("embed.from") == "{name: torchvision, weights: r18.pth}"
    assert _as_started(form) == form.check().spec
    form.set("embed.from", "resnet18")
    assert [p.path for p in form.check().problems] == ["embed.from"]


def test_options_are_those_of_the_named_plug_in(form: Form) -> None:
    assert "model.width" in {f.path for f in form.check().of_section("model")}
    form.set("model.width", "8")
    form.set("model.name", "resnet18")
    assert "model.width" not in {f.path for f in form.check().of_section("model")}
    assert form.check().problems == ()
    assert _as_started(form) == form.check().spec


def test_the_command_has_only_what_differs(form: Form) -> None:
    form.set("train.epochs", "20ep")
    form.set("train.batch", "32")
    form.set("train.batch", "64")
    assert form.changed() == {"train.epochs"}
    assert form.command() == "prunectl run quickstart --set train.epochs=20ep"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("prune.rates", "[0.25, 0.5]"),
        ("data.root", "'a folder; rm -rf'"),
        ("train.optimizer.lr", "1e-3"),
        ("score.name", "el2n"),
        ("score.preset", "paper"),
        ("train.evaluate", "2ep"),
        ("compute.threads", "null"),
        ("baselines", "[random]"),
    ],
)
def test_the_command_line_starts_the_spec_of_the_form(form: Form, path: str, text: str) -> None:
    form.set(path, text)
    assert form.check().problems == ()
    assert form.check().spec != load_spec("quickstart")
    assert _as_started(form) == form.check().spec


def test_a_published_setting_is_let_through(form: Form) -> None:
    form.set("score.preset", "paper")
    assert form.text("score.window.length") == "10"
    assert form.text("score.record") == "extra_forward"
    form.set("score.window.length", "4")
    assert form.text("score.window.length") == "4"
    assert _as_started(form).score.window.length == 4  # type: ignore[union-attr]  # the score has a window


def test_untouched_retrain_fields_follow_train() -> None:
    plain = read_yaml(find_preset("quickstart"))
    plain.pop("retrain")
    form = Form("mine", plain)
    form.set("train.epochs", "30ep")
    assert form.text("retrain.epochs") == "30ep"


def test_all_problems_are_found_at_once_and_know_their_field(form: Form) -> None:
    for path, text in (
        ("train.batch", "many"), ("prune.rates", "[0.3, 2]"), ("compute.threads", "0"),
        ("extrapolate.k", "x"), ("subset.n", "50"),
    ):  # fmt: skip
        form.set(path, text)
    checked = form.check()
    assert checked.spec is None
    for path in ("train.batch", "prune.rates", "compute.threads", "extrapolate.k"):
        assert checked.at(_field(form, path)), path
        assert checked.faulty(path.partition(".")[0])
    assert checked.at(_field(form, "subset.fraction")) == ["subset: give either fraction or n"]
    assert not checked.faulty("retrain") and not checked.faulty("data")
    form.reset("train.batch")
    assert not form.check().at(_field(form, "train.batch"))


def test_what_is_no_yaml_is_a_problem_of_its_field_and_hides_no_other(form: Form) -> None:
    form.set("prune.rates", "[0.3, ")
    form.set("train.batch", "0")
    assert [p.path for p in form.check().problems] == ["prune.rates", "train.batch"]
    assert form.text("prune.rates") == "[0.3, "


def test_fields_stay_while_a_value_is_half_typed(form: Form) -> None:
    before = [f.path for f in form.check().fields]
    form.set("train.epochs", "1")
    assert [f.path for f in form.check().fields] == before


def test_the_runs_folder_is_named_when_it_is_not_the_usual_one(form: Form, tmp_path: Path) -> None:
    assert "--runs-dir" not in form.command(runs_folder())
    other = tmp_path / "my runs"
    assert shlex.split(form.command(other))[-2:] == ["--runs-dir", str(other)]


def test_a_saved_preset_runs_the_same(form: Form) -> None:
    form.set("train.epochs", "20ep")
    file = save_preset(form, "mine")
    assert load_spec("mine") == parse_spec({**load_spec(str(file)).to_dict(), "name": "mine"})
    wanted = form.check().spec
    assert wanted is not None and load_spec("mine").identity() == wanted.identity()
    assert file.read_text().startswith("# From quickstart: train.epochs=20ep\n")
    assert Form.open("mine").command() == "prunectl run mine"


def test_saving_replaces_only_when_told_to(form: Form) -> None:
    file = save_preset(form, "mine")
    form.set("train.epochs", "20ep")
    with pytest.raises(FileExistsError):
        save_preset(form, "mine")
    assert "12ep" in file.read_text()
    save_preset(form, "mine", replace=True)
    assert load_spec("mine").train.epochs.value == 20


@pytest.mark.parametrize("name", ["", "../x", "a b", "x.yaml", "é"])
def test_a_name_that_cannot_be_is_refused(form: Form, name: str) -> None:
    with pytest.raises(UserError):
        save_preset(form, name)


@pytest.mark.parametrize("value", ["12ep", "no", "1", None, True, 5, 1e-5, [0.3], ["a"], " x", ""])
def test_texts_load_as_their_value(value: object) -> None:
    import yaml

    loaded = yaml.safe_load(text_of(value))
    assert float(loaded) == value if isinstance(value, float) else loaded == value
