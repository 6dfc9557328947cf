"""Following a run in the foreground: the screen, the signals, the last word and the exit code.

In `run` and `resume` Ctrl-C (and SIGTERM) stops the worker gracefully and waits for it; a second
one kills it at once. In `attach` it only detaches.
"""

from __future__ import annotations

import signal
import time
from types import FrameType
from typing import Any

from core.errors import NeedsLabels, PrunectlError
from core.runs import Run, request_stop
from prunectl import tracking
from prunectl.cli import output, results
from prunectl.cli.live import Bars, Lines
from prunectl.cli.live_screen import Screen
from prunectl.follow import Follower

_RETRY_SECONDS = 1.0
NEEDS_LABELS = NeedsLabels.kind


class Signals:
    """Counts SIGINT and SIGTERM instead of raising in the middle of something."""

    def __init__(self) -> None:
        self.count = 0
        self.exit_code = output.INTERRUPTED
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Signals:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        if number == signal.SIGTERM:
            self.exit_code = output.TERMINATED


class Stopper:
    """Turns signals into a graceful stop of the worker, then into a kill."""

    def __init__(self, follower: Follower[Any], screen: Screen) -> None:
        self._follower = follower
        self._screen = screen
        self._asked_at: float | None = None
        self._reached = False
        self._killed = False

    def react(self, count: int) -> None:
        """Do what so many signals mean; called often."""
        if count >= 1 and not self._reached:
            self._ask()
        if count >= 2 and not self._killed:
            self._killed = True
            if self._follower.process is not None:
                self._follower.process.kill()

    def _ask(self) -> None:
        now = time.monotonic()
        if self._asked_at is None:
            self._screen.note("stopping after a checkpoint; once more stops at once")
        elif now - self._asked_at < _RETRY_SECONDS:
            return
        self._asked_at = now
        # A worker that has not said who it is yet is asked by file, and again once it has.
        self._reached = self._follower.run.state().pid is not None
        request_stop(self._follower.run)


def screen_for(run: Run) -> Screen:
    """Bars on a terminal, lines elsewhere; both on stderr."""
    console = output.narrator()
    return Bars(console, run.id) if output.live_terminal() else Lines(console)


def watch(follower: Follower[Run], *, owned: bool, as_json: bool) -> int:
    """Follow to the end and say it. ``owned``: signals stop the run; else they detach."""
    with Signals() as signals:
        if not reached_end(follower, screen_for(follower.run), signals, "run", owned=owned):
            return signals.exit_code
        return _last_word(follower, signals, as_json)


def reached_end(
    follower: Follower[Any], screen: Screen, signals: Signals, what: str, *, owned: bool
) -> bool:
    """Show what is followed, a run or a sweep (``what``), until it ends. False: detached, and said
    so."""
    name = follower.run.id
    with screen:
        stopper = Stopper(follower, screen)
        if not owned:
            screen.note(f"following {name}; Ctrl-C detaches, the {what} goes on")
        for records in follower.until_end():
            screen.update(follower.view, records, follower.refresh_state().behind)
            if signals.count and not owned:
                break
            stopper.react(signals.count)
    if follower.ending is None:
        output.say(f"detached; {name} goes on (prunectl attach {name})")
    return follower.ending is not None


def _last_word(follower: Follower[Run], signals: Signals, as_json: bool) -> int:
    run, ending = follower.run, follower.ending
    assert ending is not None  # the caller looked
    if ending.status == "finished":
        print_results(run, as_json)
        say_next_steps(run)
        _say_tracking(run)
        return output.OK
    if as_json and run.summary() is not None:
        print_results(run, as_json)
    if ending.reason == NEEDS_LABELS:
        return _without_labels(run, as_json)
    if ending.status == "stopped" or (ending.status == "dead" and signals.count):
        how = "stopped" if ending.status == "stopped" else "stopped at once"
        output.say(f"{run.id} {how}; continue with: prunectl resume {run.id}")
        _say_tracking(run)
        return signals.exit_code
    error: PrunectlError = ending.error(run, follower.view)
    output.fail(error.what, error.todo)
    follower.forget_if_stillborn()
    return error.exit_code


def _without_labels(run: Run, as_json: bool) -> int:
    """Everything is done that can be; the rest is the user's."""
    if not as_json:
        print_results(run, as_json)
    output.say(f"{run.id} waits for labels\n{label_steps(run)}")
    _say_tracking(run)
    return output.OK


def label_steps(run: Run) -> str:
    """How a run that waits for labels goes on."""
    rows = [r for r in (run.summary() or {}).get("trials") or () if r["status"] == "pending"]
    code, own = run.id.split("-")[0], [r for r in rows if r["kept_path"]]
    listed = "" if not own else f" --rate {own[0]['rate']:g} --seed {own[0]['seed']}"
    return (
        f"which samples:     prunectl export {code}{listed}   (writes to-label.txt too)\n"
        f"with their labels: prunectl resume {code} --labels FILE   (CSV: id or path, label)"
    )


def _say_tracking(run: Run) -> None:
    text = tracking.word(run)
    if text is not None:
        output.say(text)


def say_next_steps(run: Run) -> None:
    """How to take the results away."""
    text = results.next_steps(run.summary() or {})
    if text:
        output.say(text)


def print_results(run: Run, as_json: bool) -> None:
    """The results of a run on stdout."""
    summary = run.summary()
    if as_json:
        output.data_json(summary)
    elif summary is not None:
        output.show(*results.everything(summary, run.path))
