"""Questions that need torch or faiss, answered by a worker process.

``python -P -m core.worker JOB.json`` prints JSON lines: progress, then a result or an error. The
front end stays light, and a crash over there is an error message over here.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from core.errors import MachineError, PrunectlError, RunFailure, UserError
from core.runs import worker_environment

_BY_EXIT_CODE: Mapping[int, type[PrunectlError]] = {2: UserError, 4: MachineError}


def ask(
    job: Mapping[str, Any], narrate: Callable[[Mapping[str, Any]], None] = lambda _: None
) -> Any:
    """The answer to a job. Its progress lines go to ``narrate``; its error is raised here."""
    with tempfile.TemporaryDirectory(prefix="prunectl-") as folder:
        file = Path(folder) / "job.json"
        file.write_text(json.dumps(dict(job)), encoding="utf-8")
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "core.worker", str(file)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                errors="replace",
                env=worker_environment(),
            )
            try:
                return _answer(process, narrate)
            except _NoAnswer:
                errors.seek(0)
                raise RunFailure(_last_words(process.wait(), errors.read())) from None
            finally:
                process.kill()
                process.wait()


class _NoAnswer(Exception):
    """The worker ended without a result or an error line."""


def _answer(process: subprocess.Popen[str], narrate: Callable[[Mapping[str, Any]], None]) -> Any:
    assert process.stdout is not None  # for the type checker: it is a pipe
    with process.stdout:
        for line in _json_lines(process.stdout):
            if line.get("type") == "result":
                return line.get("value")
            if line.get("type") == "error":
                raise _error(line)
            narrate(line)
    raise _NoAnswer


def _json_lines(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    for text in lines:
        try:
            plain = json.loads(text)
        except ValueError:
            continue  # a library printed something
        if isinstance(plain, dict):
            yield plain


def _error(line: Mapping[str, Any]) -> PrunectlError:
    code = int(line.get("exit_code") or 1)
    return _BY_EXIT_CODE.get(code, RunFailure)(str(line.get("what")), str(line.get("todo") or ""))


def _last_words(code: int, printed: str) -> str:
    last = next((line for line in reversed(printed.splitlines()) if line.strip()), "")
    return f"the worker ended with code {code}" + (f": {last.strip()}" if last else "")
