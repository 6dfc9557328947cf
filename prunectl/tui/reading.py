"""Everything that is read from disk, in threads that post messages.

A thread never touches a widget and a widget never reads a file. A reader posts at most four times a
second (once with ``--low-bandwidth``) and only what is new, so nothing is redrawn while nothing
happens.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from textual.message import Message

from core.artifacts import peek_scores
from core.errors import PrunectlError
from core.journal import Record, Tail
from core.predicted import Predicted, read_predicted
from core.runs import Run, State, list_runs
from core.sweeps import Sweep, list_sweeps
from prunectl.tui.row import Row, flat_yaml
from prunectl.tui.sweep_rows import SweepRows
from prunectl.view import View, apply

_CHUNK = 1 << 18  # bytes of journal a step: the screen gets its turn in between
_RUNS_SECONDS = 1.0
_PATIENCE = 1.0
_STATE_EVERY = 1.0
_SCREENFUL, _BATCH = 50, 250
_LONGEST_OUTLINE = 16 << 20
Post = Callable[[Message], object]


class Pace:
    """When a reader's next turn is, and whether it should go on at all."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._over = threading.Event()
        self._going = threading.Event()
        self._going.set()

    def turns(self, seconds: float | None = None) -> Iterator[None]:
        """One turn now and one after each pause, until told to stop."""
        while not self._over.is_set():
            yield
            self._over.wait(self.seconds if seconds is None else seconds)
            self._going.wait()

    @property
    def over(self) -> bool:
        """Whether it was told to stop."""
        return self._over.is_set()

    def stop(self) -> None:
        """No more turns."""
        self._over.set()
        self._going.set()

    def rest(self) -> None:
        """No turns until :meth:`wake`: nobody looks."""
        self._going.clear()

    def wake(self) -> None:
        """Go on."""
        self._going.set()


# -- one run ---------------------------------------------------------------------------------------


@dataclass(eq=False)
class RunNews(Message):
    """What is new of the run: records, state, summary, prediction, tables of scores by seed."""

    run: str
    records: list[Record] = field(default_factory=list)
    state: State | None = None
    summary: dict[str, Any] | None = None
    predicted: Predicted | None = None
    scores: dict[int, dict[str, Any]] = field(default_factory=dict)
    trouble: str = ""
    read_all: bool = False
    taken: threading.Event = field(default_factory=threading.Event)
    """Set when the screen has taken it in: a long history waits for that, not in memory."""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to redraw for."""
        return not (
            self.records or self.state or self.summary or self.predicted or self.scores
            or self.trouble or self.read_all
        )  # fmt: skip


class RunReader:
    """Follows one run folder; a file is read again when its time or size changed."""

    def __init__(self, run: Run, pace: Pace, post: Post, without: tuple[str, ...] = ()) -> None:
        self.run, self.pace, self.post = run, pace, post
        self._tail = Tail(run.journal, without=without)
        self._seen: dict[Path, tuple[int, int]] = {}
        self._state: tuple[State, str] | None = None
        self._trouble = ""
        self._caught_up = False

    def follow(self) -> None:
        """Post what is new, turn by turn, until the pace says stop."""
        for _ in self.pace.turns():
            more = True
            while more and not self.pace.over:
                news = self.look()
                more = bool(news.records) and not self._caught_up
                if not news.empty:
                    self.post(news)
                    if more:
                        news.taken.wait(_PATIENCE)

    def look(self) -> RunNews:
        """One look at everything."""
        news = RunNews(self.run.id)
        try:
            self._look(news)
            self._trouble = ""
        except (PrunectlError, OSError, ValueError) as error:
            said = str(error) or type(error).__name__
            if said != self._trouble:
                news.trouble = self._trouble = said
        return news

    def _look(self, news: RunNews) -> None:
        state = self.run.state()
        about = (replace(state, heartbeat=0.0), state.shown)
        if about != self._state:  # that it beats is no news
            self._state, news.state = about, state
        news.records = self._tail.poll(_CHUNK)
        if not news.records and not self._caught_up:
            self._caught_up = news.read_all = True
        if self._changed(self.run.summary_file):
            news.summary = self.run.summary()
        if self._changed(self.run.predicted_file):
            news.predicted = read_predicted(self.run)
        if self._caught_up:
            for file in sorted((self.run.path / "scores").glob("seed-*.parquet")):
                seed = file.stem.removeprefix("seed-")
                if seed.isdigit() and self._changed(file):
                    news.scores[int(seed)] = peek_scores(self.run, int(seed))

    def _changed(self, path: Path) -> bool:
        try:
            stat = path.stat()
        except OSError:
            return False
        known = stat.st_mtime_ns, stat.st_size
        if self._seen.get(path) == known:
            return False
        self._seen[path] = known
        return True


# -- all runs --------------------------------------------------------------------------------------


@dataclass(eq=False)
class RowsNews(Message):
    """Rows that are new or changed, ids that are gone; ``complete``: all were looked at once."""

    rows: list[Row] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    complete: bool = False
    trouble: str = ""


class RunsReader:
    """Looks at a runs folder again and again; live runs are followed, others read when changed."""

    def __init__(self, folder: Path, pace: Pace, post: Post) -> None:
        self.folder, self.pace, self.post = folder, pace, post
        self._rows: dict[str, Row] = {}
        self._about: dict[str, tuple[Any, ...]] = {}
        self._outlines: dict[str, tuple[Tail, View]] = {}
        self._params: dict[str, tuple[str, str, str]] = {}
        self._sweeps = SweepRows()

    def follow(self) -> None:
        """Post what is new, turn by turn, until the pace says stop."""
        for _ in self.pace.turns(max(_RUNS_SECONDS, self.pace.seconds)):
            try:
                self._turn()
            except OSError as error:
                self.post(RowsNews(trouble=f"{self.folder}: {error.strerror or error}"))

    def _turn(self) -> None:
        first = not self._rows
        runs: list[Run | Sweep] = [*list_sweeps(self.folder), *list_runs(self.folder)]
        gone = [name for name in self._rows if name not in {r.id for r in runs}]
        for name in gone:
            self._rows.pop(name), self._about.pop(name, None), self._outlines.pop(name, None)
            self._sweeps.forget(name)
        batch: list[Row] = []
        for run in runs:
            if self.pace.over:
                return
            row = self._row(run)
            if row is not None and row != self._rows.get(run.id):
                self._rows[run.id] = row
                batch.append(row)
            if len(batch) >= (_SCREENFUL if len(self._rows) <= _SCREENFUL else _BATCH):
                self.post(RowsNews(rows=batch))
                batch = []
        if batch or gone or first:
            self.post(RowsNews(rows=batch, gone=gone, complete=True))

    def _row(self, run: Run | Sweep) -> Row | None:
        """The row of a run, None when nothing it shows can have changed."""
        try:
            state = run.state()
            stamps = [_stamp(run.path / name) for name in ("state.json", "summary.json")]
            about = (*stamps, state.shown)
            old = self._rows.get(run.id)
            if old is not None and not state.alive and self._about.get(run.id) == about:
                return None
            row = (
                self._sweeps.read(run, state) if isinstance(run, Sweep) else self._read(run, state)
            )
        except (PrunectlError, OSError, ValueError) as error:
            return Row(run, 0.0, "stale", f"cannot be read: {error}")
        self._about[run.id] = about
        return row

    def _read(self, run: Run, state: State) -> Row:
        summary = run.summary() or {}
        data, method, params = self._spec(run)
        stage, share = self._progress(run, state)
        point, saving = best_point(summary)
        return Row(
            run, run.spec_file.stat().st_mtime, state.shown, state.reason or "", stage, share,
            data, method, point, saving, params,
            bool((summary.get("artifacts") or {}).get("report")),
        )  # fmt: skip

    def _spec(self, run: Run) -> tuple[str, str, str]:
        if run.id not in self._params:
            words = dict(flat_yaml(run.spec_file.read_text(encoding="utf-8")))
            said = " ".join(f"{key}={value}" for key, value in words.items())
            found = words.get("data.name", ""), words.get("extrapolate.name", ""), said.lower()
            self._params[run.id] = found
        return self._params[run.id]

    def _progress(self, run: Run, state: State) -> tuple[str, float | None]:
        """Stage and share. Points are passed over, so a long journal is read quickly."""
        if state.status == "finished":
            self._outlines.pop(run.id, None)
            return "", 1.0
        if run.id not in self._outlines:
            if not state.alive and _stamp(run.journal)[1] > _LONGEST_OUTLINE:
                return "", None
            self._outlines[run.id] = Tail(run.journal, without=("points", "checkpoint")), View()
        tail, view = self._outlines[run.id]
        while records := tail.poll(_CHUNK):
            for record in records:
                apply(view, record)
        if state.behind and state.alive:
            return f"behind {state.behind}", view.share if view.tasks else None
        stage = next((s.stage for s in view.stages() if s.running or s.failed), "")
        if not stage:
            stage = next((s.stage for s in view.stages() if s.finished < s.total), "")
        return stage, view.share if view.tasks else None


def best_point(summary: dict[str, Any]) -> tuple[str, float | None]:
    """The largest rate at which the spec's method is not worse than random, else its most accurate
    one; in words, with the share of the cost saved there."""
    own = [
        p for p in summary.get("tradeoff") or []
        if p.get("method") not in ("random", "full", "subset_only") and p.get("mean") is not None
        and p.get("metric") == "test_accuracy"
    ]  # fmt: skip
    if not own:
        return "", None
    level = [p for p in own if ((p.get("vs_random") or {}).get("ci_high") or 0.0) >= 0]
    best = max(level, key=lambda p: p["rate"]) if level else max(own, key=lambda p: p["mean"])
    saved = next(
        (s.get("saving") for s in (summary.get("cost") or {}).get("by_rate") or []
         if s.get("method") == best["method"] and s.get("rate") == best["rate"]), None,
    )  # fmt: skip
    return f"{100 * best['mean']:.1f}% at {best['rate']:.2f}", saved


def _stamp(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except OSError:
        return 0, 0
    return stat.st_mtime_ns, stat.st_size
