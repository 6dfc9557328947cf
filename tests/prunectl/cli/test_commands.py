"""Every command's help, completion, streams."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from core.runs import Run
from prunectl.cli import completion, output
from prunectl.cli.main import app

PROGRAM: Any = typer.main.get_command(app)
COMMANDS = list(PROGRAM.commands)


def _invoke(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def test_the_commands_of_this_version() -> None:
    assert set(COMMANDS) == {
        "run", "resume", "attach", "stop", "logs", "ls", "show", "rm", "restore", "presets",
        "plugins", "doctor", "where", "sync", "ui", "tui", "sweep", "cancel", "compare", "export",
        "gc", "du", "report", "extrapolate", "prune", "data",
    }  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_ends_with_an_example(name: str) -> None:
    told = _invoke(name, "--help")
    assert told.exit_code == 0
    last = [line for line in told.stdout.splitlines() if line.strip()][-1]
    assert last.strip().startswith("Example: prunectl ")


def test_a_misspelt_command_names_the_nearest() -> None:
    told = _invoke("presetz")
    assert told.exit_code == 2
    assert "Did you mean" in told.stderr
    assert "presets" in told.stderr


def test_an_error_of_the_file_system_is_the_machines(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(folder: Path) -> list[Run]:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("prunectl.cli.listing.list_runs", refuse)
    told = _invoke("ls", "--runs-dir", str(tmp_path))
    assert told.exit_code == 4
    assert told.stderr == f"error: {tmp_path}: Permission denied\n"


def test_a_bug_is_not_dressed_up_as_a_user_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prunectl.cli.listing.list_runs", lambda folder: 1 / 0)
    assert isinstance(_invoke("ls").exception, ZeroDivisionError)


def _complete(words: str, runs: Path) -> list[str]:
    environment = {
        **os.environ, "_PRUNECTL_COMPLETE": "complete_bash", "COMP_WORDS": f"prunectl {words}",
        "COMP_CWORD": str(len(words.split(" "))), "PRUNECTL_RUNS": str(runs),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "prunectl.cli.main"], env=environment, capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.stdout.split()


def test_the_shell_completes_runs_and_presets(new_run: Run, runs: Path) -> None:
    assert _complete("show ", runs) == [new_run.id]
    assert _complete(f"show {new_run.id[:2]}", runs) == [new_run.id]
    assert _complete("run quick", runs) == ["quickstart", "quickstart-sweep"]
    assert _complete("run --preset cifar10-", runs) == ["cifar10-du", "cifar10-tdds"]
    assert _complete("plugins ext", runs) == ["extrapolator"]


def test_completion_of_a_missing_folder_is_empty(tmp_path: Path) -> None:
    context: Any = typer.Context(PROGRAM)
    context.params["runs_dir"] = tmp_path / "none"
    assert completion.run_ids(context, "") == []
    assert completion.trashed_ids(context, "") == []


@pytest.mark.parametrize(
    ("terminal", "term", "bars"),
    [(True, "xterm", True), (True, "dumb", False), (False, "xterm", False)],
)
def test_bars_only_where_both_streams_are_terminals(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, term: str, bars: bool
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal, raising=False)
    monkeypatch.setenv("TERM", term)
    assert output.live_terminal() is bars


def test_a_terminal_without_the_characters_gets_question_marks(runs: Path, new_run: Run) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "prunectl.cli.main", "presets"], env=environment,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "quickstart" in done.stdout
