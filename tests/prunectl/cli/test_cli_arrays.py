"""``extrapolate`` and ``prune`` from the command line, with a real worker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from prunectl.cli import arrays
from prunectl.cli.main import app


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 samples, 60 scored, on a line."""
    made = tmp_path_factory.mktemp("arrays files")
    rng = np.random.default_rng(0)
    place = rng.random(200)
    np.save(made / "E.npy", np.stack([place, place**2, np.ones(200)], axis=1).astype(np.float32))
    rows = [f"{i},{place[i]}" for i in rng.permutation(200)[:60]]
    (made / "S.csv").write_text("\n".join(["id,score", *rows]) + "\n", encoding="utf-8")
    return made


def _invoke(folder: Path, *arguments: str) -> Any:
    given = [a.replace("@", f"{folder}/") for a in arguments]
    return CliRunner().invoke(app, given)


def test_dynamics_are_for_runs(folder: Path) -> None:
    given = ("--embeddings", "@E.npy", "--scores", "@S.csv", "--out", "@d.parquet")
    told = _invoke(folder, "extrapolate", *given, "--method", "dynamics")
    assert told.exit_code == 2 and not (folder / "d.parquet").exists()
    assert told.stderr.startswith(
        "error: the extrapolator dynamics reads nets that are trained within a run"
    )


ASK = ("extrapolate", "--embeddings", "@E.npy", "--scores", "@S.csv", "--method", "ridge")


def test_both_halves_one_after_the_other(folder: Path) -> None:
    told = _invoke(folder, *ASK, "--out", "@s.parquet", "--threads", "1")
    assert told.exit_code == 0, told.stderr
    lines = told.stdout.splitlines()
    assert lines[0] == "predicted 140 of 200 samples from 60 scored ones by ridge"
    assert lines[1].startswith("chosen: penalty 0.")
    assert lines[2].startswith("held-out rank correlation 1.000") and "n = 12" in lines[2]
    assert lines[-1] == f"written to {folder}/s.parquet"
    told = _invoke(
        folder, "prune", "--scores", "@s.parquet", "--rate", "0.9", "--out", "@k.npy", "--json"
    )
    found = json.loads(told.stdout)
    assert found["n_kept"] == 20 and found["schema"] == 1 and 0 <= found["subset_share"] <= 1
    place = np.load(folder / "E.npy")[:, 0]
    kept = np.load(folder / "k.npy")
    assert set(kept) & set(np.argsort(place)[-10:])
    assert place[kept].min() > 0.7


def test_a_wrong_option_is_one_line(folder: Path) -> None:
    told = _invoke(folder, *ASK, "--out", "@x.parquet", "--set", "penalti=1")
    assert (told.exit_code, told.stdout) == (2, "")
    assert told.stderr.startswith("error: ridge has no option 'penalti'\n  did you mean 'penalty'")
    assert not (folder / "x.parquet").exists()
    told = _invoke(folder, *ASK, "--out", "@x.parquet", "--set", "penalty")
    assert told.exit_code == 2 and told.stderr == "error: --set penalty is not KEY=VALUE\n"


def test_an_undefined_correlation_is_said_in_words() -> None:
    heldout = {"spearman": None, "ci_low": None, "ci_high": None, "pearson": None, "n": 12}
    found = {
        "heldout": heldout, "chosen": {"k": 5, "methods": ["a", "b"]}, "n": 9, "scored": 4,
        "method": "knn", "coverage80": None, "out": "o",
    }  # fmt: skip
    lines = arrays.sentences(found)
    assert lines[1] == "chosen: k 5, methods a+b"
    assert lines[2].startswith("held-out rank correlation undefined")
    assert len(lines) == 4


def test_a_limit_of_memory_is_kept_or_refused_in_one_line(folder: Path) -> None:
    ask = (*ASK[:-1], "knn", "--out", "@m.parquet", "--threads", "1", "--max-memory")
    for size, said in (("1M", "error: --max-memory 1M is too small"), ("2", "error: --max-memory")):
        told = _invoke(folder, *ask, size)
        assert told.exit_code == 2 and told.stderr.startswith(said)
        assert not (folder / "m.parquet").exists()
    told = _invoke(folder, *ask, "1G")
    assert told.exit_code == 0, told.stderr
    assert (folder / "m.parquet").exists()
