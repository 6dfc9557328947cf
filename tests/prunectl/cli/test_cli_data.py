"""``prunectl data``: prepare by a worker, list, show, verify, remove."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from core.data import cache
from prunectl.cli import completion
from prunectl.cli.main import app
from prunectl.cli.pace import Pace, progress


def _cli(*arguments: str | Path, answer: str | None = None) -> Any:
    return CliRunner().invoke(app, ["data", *map(str, arguments)], input=answer)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes, odd sizes, a grey one, a name with a space and a quote, one broken."""
    root = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for i in range(30):
        folder = root / ("train" if i % 5 else "test") / ("ant", "bee", "it's a cow")[i % 3]
        folder.mkdir(parents=True, exist_ok=True)
        shape = (10 + i, 12) if i == 4 else (10 + i, 12, 3)
        picture = Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8))
        picture.save(folder / f'no. {i} "quoted".png')
    (root / "train" / "bee" / "torn.jpg").write_bytes(b"\xff\xd8\xff\xe0 torn")
    return root


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data cache for this module alone."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNECTL_DATA", str(folder))
        yield folder


@pytest.fixture(scope="module")
def prepared(pictures: Path, place: Path) -> dict[str, Any]:
    """The dataset as ``prepare --json`` names it."""
    done = _cli("prepare", "folder", "--root", pictures, "--size", 8, "--skip-broken", "--json")
    assert done.exit_code == 0, done.stderr
    return dict(json.loads(done.stdout)["dataset"])


@pytest.mark.parametrize("name", ["prepare", "ls", "info", "verify", "rm"])
def test_every_help_ends_with_an_example(name: str) -> None:
    last = [line for line in _cli(name, "--help").stdout.splitlines() if line.strip()][-1]
    assert last.strip().startswith(f"Example: prunectl data {name}")


def test_nothing_is_prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRUNECTL_DATA", str(tmp_path / "none"))
    assert json.loads(_cli("ls", "--json").stdout) == {"schema": 1, "datasets": []}
    assert "nothing is prepared in" in _cli("ls").stderr
    assert _cli("info", "x").exit_code == 2
    assert completion.dataset_ids("") == []


def test_prepared_with_the_broken_one_left_out(prepared: dict[str, Any], place: Path) -> None:
    assert prepared["n_train"] == 24 and prepared["n_test"] == 6 and prepared["broken"] == 1
    assert prepared["classes"] == ["ant", "bee", "it's a cow"]
    assert prepared["input_shape"] == [3, 8, 8]
    listing = Path(prepared["folder"]) / "broken.txt"
    assert listing.read_text().startswith("train/bee/torn.jpg\t")
    assert completion.dataset_ids("fold") == [prepared["id"]]
    assert completion.sources("fold") == ["folder"]


def test_a_second_time_nothing_is_read(prepared: dict[str, Any], pictures: Path) -> None:
    os.utime(prepared["folder"], (1, 1))
    done = _cli("prepare", "folder", "--root", pictures, "--set", "data.size=8", "--skip-broken")
    assert done.exit_code == 0 and done.stdout == prepared["id"] + "\n"
    assert "24 train, 6 test, 3 classes, 3x8x8" in done.stderr
    assert "1 broken picture left out, listed in" in done.stderr
    (row,) = json.loads(_cli("ls", "--json").stdout)["datasets"]
    assert row["used"] > 1e9 and row["disk_bytes"] >= 30 * 8 * 8 * 3


def test_broken_without_leave_is_one_line(prepared: dict[str, Any], pictures: Path) -> None:
    done = _cli("prepare", "folder", "--root", pictures, "--size", 8)
    assert done.exit_code == 2 and done.stdout == ""
    assert done.stderr.startswith("error: 1 picture of 31 cannot be read: train/bee/torn.jpg (")
    listed = _cli("ls").stdout
    assert "unfinished" in listed and "prepared" in listed
    unfinished = next(e.id for e in cache.entries(Path(prepared["folder"]).parent) if e.unfinished)
    assert _cli("verify", unfinished).exit_code == 2
    assert _cli("rm", unfinished, "--yes").exit_code == 0
    assert "unfinished" not in _cli("ls").stdout


def test_info(prepared: dict[str, Any], pictures: Path) -> None:
    known = json.loads(_cli("info", "folder", "--json").stdout)["dataset"]
    assert known["data"]["root"] == str(pictures) and known["data"]["size"] == 8
    assert known["per_class"] == {"ant": 8, "bee": 8, "it's a cow": 8}
    shown = _cli("info", prepared["id"]).stdout
    assert prepared["fingerprint"] in shown and "it's a cow 8" in shown
    assert "did you mean" in _cli("info", prepared["id"].replace("folder", "foldr")).stderr


def test_verify_finds_a_changed_byte(prepared: dict[str, Any]) -> None:
    assert _cli("verify").exit_code == 0
    inputs = Path(prepared["folder"]) / "train" / "inputs.npy"
    content = inputs.read_bytes()
    try:
        inputs.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        done = _cli("verify", "folder", "--json")
        assert done.exit_code == 4
        (row,) = json.loads(done.stdout)["datasets"]
        assert not row["ok"] and "train/inputs.npy has changed" in row["text"]
        assert _cli("verify").stdout.startswith(f"FAIL {prepared['id']}")
    finally:
        inputs.write_bytes(content)
    assert _cli("verify").exit_code == 0


def test_a_damaged_one_is_listed_as_such(prepared: dict[str, Any]) -> None:
    labels = Path(prepared["folder"]) / "test" / "targets.npy"
    content = labels.read_bytes()
    try:
        labels.write_bytes(b"")
        assert "damaged" in _cli("ls").stdout
        assert "status" in _cli("info", prepared["id"]).stdout
    finally:
        labels.write_bytes(content)


def test_rm_asks(prepared: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PRUNECTL_DATA", str(tmp_path))
    folder = tmp_path / "folder-copy"
    folder.mkdir()
    (folder / "dataset.json").write_text("{}")
    done = _cli("rm", "folder-copy")
    assert done.exit_code == 2 and "say so with --yes" in done.stderr and folder.is_dir()
    assert _cli("rm", "folder-copy", "nothing", "--yes").exit_code == 2 and folder.is_dir()
    monkeypatch.setattr("prunectl.cli.datasets.sys", _Terminal())
    assert _cli("rm", "folder-copy", answer="n\n").exit_code == 0 and folder.is_dir()
    assert "is deleted" in _cli("rm", "folder-copy", answer="y\n").stderr
    assert not folder.exists()


class _Terminal:
    """Somebody who can be asked."""

    stdin = type("stdin", (), {"isatty": staticmethod(lambda: True)})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fodler"], "no dataset is called 'fodler'; did you mean 'folder'?"),
        (["digits", "--skip-broken"], "data.skip_broken: no such key"),
        (["folder", "--set", "train.batch=3"], "--set 'train.batch=3' is no key of data"),
        (["folder", "--set", "data.rot=x"], "data.rot: no such key; did you mean 'root'?"),
        (["folder", "--size", "2"], "data.size"),
        (["folder", "--root", "nowhere"], "there is no folder"),
    ],
)
def test_what_is_wrong_is_one_line(arguments: list[str], message: str) -> None:
    done = _cli("prepare", *arguments)
    assert done.exit_code == 2 and done.stdout == "" and message in done.stderr


def test_interrupted(monkeypatch: pytest.MonkeyPatch, pictures: Path) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("prunectl.cli.datasets.ask", interrupt)
    done = _cli("prepare", "folder", "--root", pictures)
    assert done.exit_code == 130
    assert done.stderr == "interrupted; the same command goes on where it was\n"
    assert _cli("prepare", "digits").stderr == "interrupted\n"


def test_progress_in_words() -> None:
    told = progress("pictures", 1200, 20_000, 2.0, 800)
    assert told == "1,200 of 20,000 pictures, 400 a second, about 50 s left"
    assert progress("pictures", 0, 10, 0.0, 0) == "0 of 10 pictures"


def test_progress_off_a_terminal_is_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("prunectl.cli.pace.time.monotonic", lambda: now[0])
    with Pace("pictures") as pace:
        for second in range(25):
            now[0] = float(second)
            pace({"done": 100 * second, "total": 3000})
    assert capsys.readouterr().err.splitlines() == [
        "1,000 of 3,000 pictures, 100 a second, about 20 s left",
        "2,000 of 3,000 pictures, 100 a second, about 10 s left",
    ]
