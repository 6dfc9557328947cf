"""The application: themes, screens, what all screens share. Small on purpose."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.message import Message
from textual.screen import Screen

from core.errors import PrunectlError
from core.runs import Folder, Run, request_stop
from core.sweeps import Sweep
from prunectl.tui import doing, doing_sweeps, hangup, themes
from prunectl.tui.actions import APP, actions_for, bindings
from prunectl.tui.drawing import Look, clean
from prunectl.tui.screens.base import ConsoleScreen
from prunectl.tui.screens.dialogs import Ask
from prunectl.tui.screens.help import Help
from prunectl.tui.screens.run import RunScreen
from prunectl.tui.screens.runs import Runs
from prunectl.tui.screens.sweep import SweepScreen

if TYPE_CHECKING:
    from prunectl.tui.screens.new_run import NewRunScreen

FAST, SLOW = 0.25, 1.0
"""Seconds between two looks at a journal, and with ``--low-bandwidth``."""
_SIGNALS = {signal.SIGTERM: 143, signal.SIGHUP: hangup.CODE, signal.SIGINT: 130}


@dataclass(eq=False)
class Done(Message):
    """Something was done to a run, in words, or why not."""

    said: str
    failed: bool = False


class Console(App[int]):
    """``prunectl tui``. It reads run folders, asks workers, and owns nothing."""

    TITLE = "prunectl"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = bindings(APP)
    CSS = """
    Screen { background: $background; color: $foreground; }
    Toast { width: 50; }
    Console.-ascii .panel, Console.-ascii Help > Panel, Console.-ascii Ask > Vertical,
    Console.-ascii Choose > Vertical { border: ascii $edge; }
    Console.-ascii .panel:focus { border: ascii $accent; }
    Console.-ascii .-tight .panel { border: none; }
    """

    def __init__(
        self, folder: Path, run: Run | Sweep | None = None, *, read_only: bool = False,
        plain: bool = False, low_bandwidth: bool = False, theme: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.folder = folder
        self.run_at_start = run
        self.read_only = read_only
        self.look = Look(ascii=plain)
        self._running_in: asyncio.AbstractEventLoop | None = None
        self.seconds = SLOW if low_bandwidth else FAST
        self.set_class(plain, "-ascii")
        self.animation_level = "none"
        for name in themes.NAMES:
            self.register_theme(themes.theme(name))
        chosen = theme or (themes.MONO if os.environ.get("NO_COLOR") else themes.DEFAULT)
        self.theme = f"prunectl-{chosen}"

    def on_mount(self) -> None:
        """The first screens, and what to do when somebody wants us gone."""
        loop = self._running_in = asyncio.get_running_loop()
        if threading.current_thread() is threading.main_thread():
            for number, code in _SIGNALS.items():
                loop.add_signal_handler(number, self.exit, code, code)
        self.push_screen(Runs())
        if self.run_at_start is not None:
            self.open_run(self.run_at_start)

    def leave_from_thread(self) -> None:
        """The terminal is gone: leave, as far as one still can. Called in another thread."""
        if self._running_in is not None and not self._running_in.is_closed():
            self._running_in.call_soon_threadsafe(self.exit, hangup.CODE, hangup.CODE)

    # -- screens --

    def open_run(self, run: Run | Sweep) -> None:
        """Show a run or a sweep."""
        self.push_screen(SweepScreen(run) if isinstance(run, Sweep) else RunScreen(run))

    def open_new_run(self) -> None:
        """Compose a run."""
        from prunectl.tui.screens.new_run import NewRunScreen

        self.push_screen(NewRunScreen(self.folder))

    def on_launch_screen_launched(self, event: NewRunScreen.Launched) -> None:
        """A run was started: show it in place of the form."""
        self.pop_screen()
        self.open_run(event.run)

    def open_samples(self, run: Run) -> None:
        """Look at the samples of a run."""
        from prunectl.tui.screens.samples import SamplesScreen

        self.push_screen(SamplesScreen(run))

    def open_report(self, run: Folder) -> None:
        """Open the report in a browser, where there is one."""
        report = run.path / "report.html"
        if not report.is_file():
            self.say(f"{run.id} has no report")
        else:
            self.do(lambda: doing.open_report(report.absolute()))

    # -- doing --

    def may_change(self) -> bool:
        """Whether runs may be touched; says so when not."""
        if self.read_only:
            self.say("read-only: nothing is started, stopped or deleted", warn=True)
        return not self.read_only

    def ask(self, question: str, action: Callable[[], str]) -> None:
        """Do something after a yes."""

        def answered(yes: bool | None) -> None:
            if yes:
                self.do(action)

        self.push_screen(Ask(question), answered)

    def ask_stop(self, run: Run | Sweep) -> None:
        """Stop a run or a sweep after a yes."""
        if isinstance(run, Sweep):
            question = f"Stop {run.id}? The tasks that run are finished; it can be resumed."
            self.ask(question, lambda: doing_sweeps.stop(run))
        else:
            question = f"Stop {run.id}? It writes a checkpoint and can be resumed."
            self.ask(question, lambda: doing.stop(run))

    def ask_cancel(self, run: Run | Sweep) -> None:
        """Stop a run or all that runs of a sweep at a checkpoint, after a yes."""
        question = f"Cancel {run.id}? What runs stops at a checkpoint; it can be resumed."
        self.ask(question, lambda: request_stop(run))

    def resume(self, run: Run | Sweep) -> None:
        """Continue a run or a sweep."""
        if isinstance(run, Sweep):
            self.do(lambda: doing_sweeps.resume(run))
        else:
            self.do(lambda: doing.resume(run))

    def do(self, action: Callable[[], str]) -> None:
        """Do something to a run away from the screen, and say what came of it."""

        def work() -> None:
            try:
                self.post_message(Done(action()))
            except (PrunectlError, OSError) as error:
                todo = getattr(error, "todo", "")
                self.post_message(Done(f"{error}{'; ' if todo else ''}{todo}", failed=True))

        threading.Thread(target=work, daemon=True).start()

    @on(Done)
    def _done(self, event: Done) -> None:
        self.say(event.said, warn=event.failed)

    def say(self, text: str, *, warn: bool = False) -> None:
        """A short note at the edge."""
        shown = "  ".join(clean(line) for line in text.splitlines())
        self.notify(shown, severity="warning" if warn else "information", markup=False, timeout=6)

    def copy(self, text: str) -> None:
        """Put a text on the clipboard, through the terminal."""
        self.copy_to_clipboard(text)
        self.say(f"copied: {text}")

    # -- actions of everywhere --

    @property
    def where(self) -> str:
        """The screen in front, by its name in the registry."""
        screen = self.screen
        return screen.where if isinstance(screen, ConsoleScreen) else ""

    def action_help(self) -> None:
        """The keys of the screen in front."""
        if self.where:
            self.push_screen(Help(self.where, self.read_only))

    def action_next_theme(self) -> None:
        """The next theme."""
        names = [f"prunectl-{name}" for name in themes.NAMES]
        at = names.index(self.theme) if self.theme in names else -1
        self.theme = names[(at + 1) % len(names)]
        self.say(f"theme {self.theme.removeprefix('prunectl-')}")

    def action_detach(self) -> None:
        """Leave; runs go on."""
        self.exit(0)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The command palette: the registry, for the screen in front."""
        where = screen.where if isinstance(screen, ConsoleScreen) else APP
        for action in actions_for(where):
            if action.name != "command_palette":
                target = self if APP in action.where else screen
                name = f"{action.label} ({action.keys})"
                run = _runner(self, action.name, target)
                yield SystemCommand(name, action.help, run)


def _runner(app: Console, name: str, target: App[int] | Screen[object]) -> Callable[[], object]:
    async def run() -> None:
        await app.run_action(name, target)

    return lambda: app.call_later(run)
