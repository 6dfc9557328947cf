"""Asking a worker: results, errors, progress, and a worker that dies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from core.errors import MachineError, RunFailure, UserError
from prunectl import jobs


def _worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *lines: str, code: int = 0) -> None:
    """Stand a shell script in the place of python."""
    script = tmp_path / "python"
    said = "\n".join(f"echo '{line}'" for line in lines)
    script.write_text(f"#!/bin/sh\n{said}\necho 'last words' >&2\nexit {code}\n")
    script.chmod(0o755)
    monkeypatch.setattr(jobs.sys, "executable", str(script))


def test_the_result_and_the_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _worker(
        tmp_path, monkeypatch, '{"type":"progress","done":1,"total":2}', "a library says hello",
        '{"type":"result","value":{"seconds":3.5}}',
    )  # fmt: skip
    heard: list[Mapping[str, Any]] = []
    assert jobs.ask({"job": "estimate"}, heard.append) == {"seconds": 3.5}
    assert heard == [{"type": "progress", "done": 1, "total": 2}]


@pytest.mark.parametrize(("code", "kind"), [(2, UserError), (4, MachineError), (1, RunFailure)])
def test_its_error_is_raised_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, kind: type[Exception]
) -> None:
    said = {"type": "error", "kind": "x", "what": "no such file", "todo": "name it"}
    _worker(tmp_path, monkeypatch, json.dumps({**said, "exit_code": code}), code=code)
    with pytest.raises(kind) as caught:
        jobs.ask({"job": "estimate"})
    assert (caught.value.what, caught.value.todo) == ("no such file", "name it")  # type: ignore[attr-defined]  # a UserError


def test_a_worker_without_an_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _worker(tmp_path, monkeypatch, "hello", code=9)
    with pytest.raises(RunFailure, match="ended with code 9: last words"):
        jobs.ask({"job": "estimate"})


def test_the_real_worker_names_the_jobs_it_knows() -> None:
    with pytest.raises(UserError, match="did you mean 'doctor'"):
        jobs.ask({"job": "docter"})
