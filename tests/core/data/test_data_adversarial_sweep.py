"""The preset adversarial-cifar10 on small files in the formats of CIFAR-10 and of the pool."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cifar_files import publish, write_cifar, write_edm
from typer.testing import CliRunner

from core.data.locations import default_cache_root
from core.data.prepare import prepare_dataset
from core.spec_load import parse_spec, read_yaml
from core.spec_set import override
from prunectl import presets
from prunectl.cli.main import app


@pytest.fixture
def small_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Files in the formats of CIFAR-10 and of the generated pool, prepared here, where their
    checksums are the published ones."""
    publish(monkeypatch, write_cifar(tmp_path / "real", per_batch=24))
    pool = write_edm(tmp_path / "1m.npz", 120)
    places = {"data.root": str(pool), "data.real_root": str(tmp_path / "real"), "data.n": "100"}
    changes = [f"{k}={v}" for k, v in {**places, "data.validation": "20"}.items()]
    written = read_yaml(presets.find_preset("adversarial-cifar10"))
    written.pop("sweep")
    spec = parse_spec(override(written, changes))
    prepare_dataset(spec.data, default_cache_root())
    return {**places, "data.validation": "20"}


@pytest.mark.slow
def test_the_sweep_of_cifar10_says_what_it_takes_and_trains_on_the_true_formats(
    tmp_path: Path, small_files: dict[str, str]
) -> None:
    """Shortened to a narrow net, two epochs and one attack step: 200 samples, 60 scored."""
    settings = {
        **small_files, "model.depth": "10", "model.width": "1", "paradigm.attack_steps": "1",
        "paradigm.eval_steps": "2", "paradigm.eval_cw_steps": "2", "train.epochs": "2ep",
        "retrain.epochs": "2ep", "train.batch": "32", "retrain.batch": "32",
        "score.window.length": "2", "score.window.drop_last": "false", "score.also": "[]",
        "prune.rates": "[0.5]", "tracking.enabled": "false",
    }  # fmt: skip
    sets = [part for k, v in settings.items() for part in ("--set", f"{k}={v}")]
    common = [*sets, "--runs-dir", str(tmp_path / "runs")]
    dry = CliRunner().invoke(app, ["sweep", "adversarial-cifar10", "--dry-run", "--json", *common])
    assert dry.exit_code == 0, dry.output
    said = json.loads(dry.stdout)
    trained = (60 * 2 + 200 * 2 + 100 * 2 * 7) * 3  # subset, full, random and six cells; TRADES-1
    chosen = 2 * 20 * (1 + 1 + 2 + 2)  # where scores end: a clean, a single and two long attacks
    embedded = 200
    assert said["sample_passes"] == trained + chosen + embedded
    assert not (tmp_path / "runs").exists()
    axis = [
        "--axis",
        "extrapolate.name=knn,gnn,auto",
        "--axis",
        "prune.policy=class_balanced,top_k",
    ]
    done = CliRunner().invoke(app, ["sweep", "adversarial-cifar10", *axis, *common])
    assert done.exit_code == 0, done.output
    summaries = sorted((tmp_path / "runs").glob("*/cells/*/summary.json"))
    assert len(summaries) == 6
    found = json.loads(summaries[0].read_text())
    assert found["data"]["n_train"] == 200
    (end,) = found["extrapolation"][0]["until"]
    assert (end["of"], end["by"]) == (2, "cw_robust_accuracy") and end["epoch"] == 2
    assert all("test_robust_accuracy" in t["metrics"] for t in found["trials"])
