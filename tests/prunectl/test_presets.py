"""Lookup order, and that the shipped presets are complete and commented."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from core.errors import UserError
from core.spec_load import parse_spec, read_yaml
from core.sweep_spec import parse_sweep
from prunectl import presets

SHIPPED = sorted(p.stem for p in presets.shipped_folder().glob("*.yaml"))


def _keys(mapping: Mapping[str, Any], prefix: str = "") -> set[str]:
    found = set()
    for key, value in mapping.items():
        found |= _keys(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key}
    return found


def test_the_presets_of_this_version_are_shipped() -> None:
    assert {"quickstart", "cifar10-du", "quickstart-sweep", "adversarial-digits"} <= set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_preset_writes_out_every_key(name: str) -> None:
    written = read_yaml(presets.find_preset(name))
    sweep = {key: written.pop(key) for key in ("sweep",) if key in written}
    assert _keys(written) == _keys(parse_spec(written).to_dict())
    if sweep:
        axes = parse_sweep({**written, **sweep}).axes
        assert len(parse_sweep({**written, **sweep}).cells()) > 1
        assert set(axes) <= {*_keys(written), *written}  # a key, or a whole section


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_preset_says_what_it_is_and_explains_its_keys(name: str) -> None:
    path = presets.find_preset(name)
    assert presets.Preset(name, path, "shipped").about()
    lines = path.read_text(encoding="utf-8").splitlines()
    values = [line for line in lines if re.match(r"\s*[a-z_]+: \S", line)]
    commented = [line for line in values if "#" in line]
    assert len(commented) > 0.8 * len(values)


def test_quickstart_is_the_agreed_experiment() -> None:
    spec = presets.load_spec("quickstart")
    assert (spec.data.name, spec.data.test_fraction, spec.seeds) == ("digits", 0.3, (0, 1, 2))
    assert spec.prune.rates == (0.3, 0.5, 0.7, 0.8)
    assert spec.model.params == {"width": 16}
    assert (spec.train.batch, str(spec.train.epochs)) == (64, "12ep")
    assert spec.retrain.evaluate == "end"
    assert set(spec.baselines) == {"random", "full", "subset_only", "true_random", "full_scores"}


def test_cifar10_du_is_the_papers_recipe() -> None:
    spec = presets.load_spec("cifar10-du")
    adam, later = spec.train.optimizer, spec.retrain.optimizer
    assert (spec.score.preset, spec.score.record) == ("legacy_se", "train_forward")
    assert spec.score.window is not None
    assert (spec.score.window.length, spec.score.window.ddof, spec.score.window.skip) == (10, 0, 2)
    assert (adam.name, adam.lr, adam.weight_decay) == ("adam", 1e-3, 0)
    assert (spec.train.schedule.name, spec.retrain.schedule.name) == ("constant", "one_cycle")
    assert (later.lr, later.weight_decay, spec.retrain.batch) == (1e-3, 1e-3, 256)
    assert spec.prune.rates == (0.1, 0.2, 0.5, 0.8, 0.9, 0.95)
    assert spec.extrapolate.params["k"] == "auto"


@pytest.mark.parametrize("name", ["cifar10-tdds", "synthetic-cifar100-tdds"])
def test_tdds_of_the_extrapolation_paper_reads_the_end_in_one_window(name: str) -> None:
    spec = presets.load_spec(name)
    assert (spec.score.name, spec.score.preset) == ("tdds", "legacy_se")
    assert spec.score.params == {"epoch": -10, "span": 10, "decay": 0.9}
    assert spec.score.window is not None and spec.score.window.length == 10
    sgd = spec.train.optimizer
    assert (sgd.name, sgd.lr, sgd.momentum, sgd.weight_decay) == ("sgd", 1e-3, 0.9, 5e-4)
    assert (spec.train.schedule.name, str(spec.train.epochs)) == ("cosine", "50ep")
    assert spec.retrain == presets.load_spec("cifar10-du").retrain


def test_tdds_of_its_authors_reads_the_first_epochs_of_a_long_training() -> None:
    spec = presets.load_spec("cifar100-tdds")
    assert spec.score.params == {"epoch": 0, "span": 60, "decay": 0.9}
    assert spec.score.window is not None and spec.score.window.length == 20
    assert (spec.train.optimizer.lr, spec.train.batch, spec.retrain.batch) == (0.1, 100, 128)
    assert (str(spec.train.epochs), spec.prune.rates) == ("200ep", (0.7,))


def test_cifar100_and_its_synthetic_twin_carry_the_cifar10_recipe() -> None:
    first = presets.load_spec("cifar10-du")
    for name, model in (("cifar100-du", "resnet18"), ("synthetic-cifar100-du", "resnet50")):
        spec = presets.load_spec(name)
        assert (spec.train, spec.score, spec.retrain) == (first.train, first.score, first.retrain)
        assert spec.model.name == model
    assert presets.load_spec("synthetic-cifar100-du").data.params["real"] == "cifar100"


def test_the_first_folder_that_has_a_name_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    user = tmp_path / "config" / "prunectl" / "presets"
    for folder in (mine, theirs, user):
        folder.mkdir(parents=True)
        (folder / "quickstart.yaml").write_text(f"# from {folder.name}\nname: x\n")
    (user / "only.yml").write_text("name: y\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert presets.find_preset("quickstart") == user / "quickstart.yaml"
    monkeypatch.setenv("PRUNECTL_PRESETS", f"{mine}:{theirs}")
    assert presets.find_preset("quickstart") == mine / "quickstart.yaml"
    listed = {p.name: p for p in presets.all_presets()}
    assert listed["quickstart"].source == "environment"
    assert listed["quickstart"].about() == "from mine"
    assert listed["only"].source == "user"
    assert listed["cifar10-du"].source == "shipped"


def test_a_path_is_a_path(tmp_path: Path, spec_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert presets.find_preset("small.yaml") == spec_file
    assert presets.find_preset("./small.yaml") == spec_file
    with pytest.raises(UserError, match="there is no file quickstart.yaml"):
        presets.find_preset("quickstart.yaml")


def test_an_unknown_name_names_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'quickstart'"):
        presets.find_preset("quikstart")


def test_changes_and_defaults(spec_file: Path) -> None:
    spec_file.write_text(spec_file.read_text().replace("name: small\n", ""))
    spec = presets.load_spec(spec_file, ["train.epochs=14ep", "prune.rates=[0.4]"], seeds=2)
    assert (spec.name, str(spec.train.epochs), spec.prune.rates) == ("small", "14ep", (0.4,))
    assert spec.seeds == (0, 1)
    assert presets.load_spec(spec_file, device="cpu").compute.device == "cpu"
    with pytest.raises(UserError, match="at least one seed"):
        presets.load_spec(spec_file, seeds=0)


def test_a_name_in_the_file_is_kept(spec_file: Path) -> None:
    other = spec_file.rename(spec_file.with_name("other.yaml"))
    assert presets.load_spec(other).name == "small"
