"""A new user's folder of pictures: run, export, report, all through the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from core.runs import list_runs
from prunectl.cli.main import app

CLASSES = ("apple tree", "b's & <b>", "cat")
ODD_NAME = 'it\'s a "good" one <i>.png'
SETTINGS = {
    "data.name": "folder", "data.root": "pictures", "data.size": "12", "subset.fraction": "0.5",
    "seeds": "[0, 1]", "train.epochs": "8ep", "retrain.epochs": "2ep", "reference": "none",
    "baselines": "[random, full]", "prune.rates": "[0.4]", "model.width": "4",
    "tracking.enabled": "false",
}  # fmt: skip


def _pictures(root: Path) -> None:
    """Three classes of odd sizes; one file is broken, one grey, one has an awkward name."""
    rng = np.random.default_rng(0)
    for number, name in enumerate(CLASSES):
        (root / name / "more").mkdir(parents=True)
        for i in range(20):
            height, width = (int(v) for v in rng.integers(13, 40, 2))
            pixels = rng.integers(0, 90, (height, width, 3)).astype(np.uint8)
            pixels[..., number] += 120
            below = "more/" if i % 5 == 0 else ""
            Image.fromarray(pixels).save(root / name / f"{below}{i}.png")
    grey = rng.integers(0, 255, (17, 21)).astype(np.uint8)
    Image.fromarray(grey).save(root / "cat" / ODD_NAME)
    (root / "cat" / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")


def _invoke(*arguments: str) -> Any:
    return CliRunner().invoke(app, [*arguments, "--runs-dir", "runs"])


def _run(*more: str) -> Any:
    sets = [f"{key}={value}" for key, value in SETTINGS.items()]
    given = [part for text in (*sets, *more) for part in ("--set", text)]
    return _invoke("run", "quickstart", *given)


def test_from_a_folder_of_pictures_to_what_one_takes_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _pictures(tmp_path / "pictures")

    told = _run()
    assert told.exit_code == 2
    assert "cat/broken.jpg" in told.stderr and "skip_broken" in told.stderr
    assert not list_runs(tmp_path / "runs")

    told = _run("data.skip_broken=true")
    assert told.exit_code == 0, told.stderr
    (run,) = list_runs(tmp_path / "runs")
    summary = json.loads(run.summary_file.read_text())
    assert summary["data"]["n_train"] + summary["data"]["n_test"] == 61
    export = re.search(r"prunectl (export \S+ --rate \S+ --out kept.npy)", told.stderr)
    assert export is not None  # the run itself says how to go on

    told = _invoke(*export.group(1).split())
    assert told.exit_code == 0, told.stderr
    kept = np.load("kept.npy")
    assert len(kept) == summary["trials"][0]["n_kept"] == round(0.6 * summary["data"]["n_train"])

    names = _invoke("export", run.id, "--rate", "0.4", "--format", "txt").stdout.splitlines()
    assert len(names) == len(kept)
    assert all((tmp_path / "pictures" / name).is_file() for name in names)

    told = _invoke("export", run.id, "--rate", "0.4", "--as", "links", "pruned")
    assert (told.exit_code, told.stdout) == (0, "pruned\n"), told.stderr
    links = [p for p in Path("pruned").rglob("*") if p.is_symlink()]
    assert sorted(str(p.relative_to("pruned")) for p in links) == sorted(names)
    from torchvision.datasets import ImageFolder

    folder = ImageFolder("pruned")
    assert (folder.classes, len(folder)) == (sorted(CLASSES), len(kept))
    assert folder[0][0].mode == "RGB"

    assert summary["artifacts"]["report"] == "report.html"
    page = (run.path / "report.html").read_text(encoding="utf-8")
    assert page.count('src="data:image/png;base64,') == 40
    assert "b&#x27;s &amp; &lt;b&gt;" in page and "<b>" not in page
    again = _invoke("report", run.id, "--out", "mine.html")
    assert again.exit_code == 0, again.stderr
    assert re.sub(r"\d\d:\d\d UTC", "", Path("mine.html").read_text(encoding="utf-8")) == re.sub(
        r"\d\d:\d\d UTC", "", page
    )
