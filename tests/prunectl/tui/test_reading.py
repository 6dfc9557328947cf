"""Readers post what is new, and no faster than it is taken."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
from recorded import FINISHED, copy_runs

from core.locks import hostname, process_start
from core.runs import Run, State
from prunectl.tui import reading
from prunectl.tui.reading import Pace, RunNews, RunReader


def test_a_long_history_waits_for_who_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_CHUNK", 4096)
    monkeypatch.setattr(reading, "_PATIENCE", 30.0)
    run, pace = Run(copy_runs(tmp_path) / FINISHED), Pace(0.01)
    posted: list[RunNews] = []
    came = threading.Semaphore(0)

    def post(news: RunNews) -> None:
        posted.append(news)
        came.release()

    thread = threading.Thread(target=RunReader(run, pace, post).follow, daemon=True)  # type: ignore[arg-type]  # any callable will do
    thread.start()
    assert came.acquire(timeout=10)
    time.sleep(0.1)
    assert len(posted) == 1  # the second piece is not read before the first is taken
    while not posted[-1].read_all:
        posted[-1].taken.set()
        assert came.acquire(timeout=10)
    pace.stop()
    thread.join(5)
    lines = run.journal.read_text().splitlines()
    assert sum(len(news.records) for news in posted) == len(lines)
    assert max(len(news.records) for news in posted) < len(lines) / 2


def test_a_heartbeat_alone_is_no_news(tmp_path: Path) -> None:
    run = Run(copy_runs(tmp_path) / FINISHED)
    reader = RunReader(run, Pace(0.0), lambda _: None)
    pid = os.getpid()
    state = State("running", None, pid, process_start(pid), hostname(), 1.0)
    run.write_state(state)
    while not reader.look().empty:
        pass
    run.write_state(State("running", None, pid, process_start(pid), hostname(), 6.0))
    assert reader.look().empty
    run.write_state(State("stopped", "stopped", pid, process_start(pid), hostname(), 7.0))
    assert reader.look().state is not None
