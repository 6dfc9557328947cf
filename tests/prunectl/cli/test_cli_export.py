"""``export`` on a recorded run, and the README's example of its use."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits
from typer.testing import CliRunner

from core.data.locations import default_cache_root
from core.data.prepare import prepare_dataset
from core.errors import UserError
from prunectl import open_run
from prunectl.cli.main import app

ROOT = Path(__file__).parents[3]
RECORDED = ROOT / "tests" / "journals" / "finished"


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A runs folder with one recorded run, in an empty working folder."""
    shutil.copytree(RECORDED, tmp_path / "runs" / "522y-finished")
    monkeypatch.setenv("PRUNECTL_DATA", str(tmp_path.parent / "no data"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PRUNECTL_DATA", str(tmp_path / "runs" / "no-data"))  # nothing prepared
    return tmp_path / "runs"


def _export(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["export", "522y", "--runs-dir", "runs", *arguments])


def test_text_is_data_and_words_are_narration(runs: Path) -> None:
    told = _export("--rate", "0.7")
    assert told.exit_code == 0, told.stderr
    ids = [int(line) for line in told.stdout.splitlines()]
    assert len(ids) == 377 and ids == sorted(set(ids))
    assert ids == open_run("522y", runs).select(0.7).ids.tolist()
    assert "377 of 1,258 samples (rate 0.7, knn): the consensus of seeds 0, 1, 2" in told.stderr


def test_one_seed_by_the_name_of_the_file(runs: Path) -> None:
    told = _export("--rate", "0.7", "--seed", "2", "--method", "random", "--out", "kept.npy")
    assert (told.exit_code, told.stdout) == (0, "kept.npy\n")
    kept = runs / "522y-finished" / "kept" / "s2-random-random-r0.7000.npy"
    assert Path("kept.npy").read_bytes() == kept.read_bytes()
    assert "ids count the training samples that data.test_fraction left; --rows" in told.stderr


def test_a_binary_format_goes_into_a_file_of_its_own(runs: Path) -> None:
    told = _export("--rate", "0.3", "--format", "parquet")
    assert told.stdout == "522y-finished-knn-r0.3000.parquet\n"
    assert Path("522y-finished-knn-r0.3000.parquet").stat().st_size > 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--rate", "0.4"], "error: knn was not run at rate 0.4\n  its rates: 0.3, 0.7\n"),
        (["--rate", "0.3", "--format", "npz"], "--format npz is unknown\n  did you mean 'npy'"),
        (["--rate", "0.3", "--as", "link", "d"], "did you mean 'links'?"),
        (["--rate", "0.3", "--as", "links", "d", "--out", "f"], "--as links makes a folder"),
        (["--rate", "0.3", "--as", "links", "d"], "error: the class names are not known: digits"),
        (["--rate", "0.3", "--rows", "--out", "k.csv"], "--rows goes into an npy file"),
        (["--rate", "0.3", "--rows", "--out", "k.npy"], "rows are not known: digits is not"),
        (["--rate", "0.3", "--out", "none/kept.npy"], "lies in a folder that does not exist"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_one_line_and_leaves_nothing(
    runs: Path, arguments: list[str], says: str
) -> None:
    told = _export(*arguments)
    assert (told.exit_code, told.stdout) == (2, "")
    assert says in told.stderr
    assert [p.name for p in Path.cwd().iterdir()] == ["runs"]


def test_rows_are_positions_in_what_was_brought(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = open_run("522y", runs).spec
    monkeypatch.setenv("PRUNECTL_DATA", str(runs.parent / "data"))
    dataset = prepare_dataset(spec.data, default_cache_root())
    told = _export("--rate", "0.7", "--rows", "--out", "rows.npy")
    assert told.exit_code == 0, told.stderr
    rows, kept = np.load("rows.npy"), open_run("522y", runs).select(0.7).ids
    brought = load_digits()
    assert len(rows) == 377 and rows.max() > 1258  # beyond any id
    assert np.array_equal(brought.target[rows], np.asarray(dataset.train.targets)[kept])
    pictures = np.rint(brought.images[rows] / 16 * 255)
    assert np.array_equal(pictures, np.asarray(dataset.train.inputs)[kept][..., 0])


def test_from_python(runs: Path) -> None:
    with pytest.raises(UserError, match="its rates: 0.3, 0.7"):
        open_run("522y", runs).select(0.4)


def test_the_readmes_example(runs: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    use = text[text.index("**Use the result.**") :]
    shell, code = (re.findall(rf"```{kind}\n(.*?)```", use, re.S)[0] for kind in ("sh", "python"))
    line = next(x for x in shell.splitlines() if "--out kept.npy" in x).split("#")[0]
    told = _export(*line.replace("0.5", "0.7").split()[3:])
    assert told.exit_code == 0, told.stderr
    names: dict[str, Any] = {"my_training_set": np.arange(1258) * 10}
    exec(code, names)  # noqa: S102  # the README's own example
    assert len(names["train"]) == 377
    assert [int(names["train"][i]) for i in (0, 376)] == (
        np.load("kept.npy")[[0, -1]] * 10
    ).tolist()
