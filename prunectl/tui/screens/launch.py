"""A screen from which a run or a sweep is started, and what that costs asked before."""

from __future__ import annotations

import threading
from pathlib import Path

from textual import on
from textual.message import Message

from core.errors import PrunectlError
from core.runs import Run
from core.spec import Spec
from core.sweep_spec import SweepSpec
from core.sweeps import Sweep
from prunectl.sweep.predict import LONG_HOURS, hours
from prunectl.tui import doing, doing_sweeps
from prunectl.tui.drawing import clean
from prunectl.tui.predicting import Predictor
from prunectl.tui.screens.base import ConsoleScreen
from prunectl.tui.screens.dialogs import Ask


class LaunchScreen(ConsoleScreen):
    """Starts in ``runs_dir`` what :meth:`wanted` says, once; a sweep after its prediction only.

    Three methods are for each screen to define; Textual's metaclass knows no abstract ones."""

    class Launched(Message):
        """A run or a sweep was started."""

        def __init__(self, run: Run | Sweep) -> None:
            super().__init__()
            self.run = run

    class Changed(Message):
        """A prediction came, or came nearer."""

    def __init__(self, runs_dir: Path) -> None:
        super().__init__()
        self.runs_dir = runs_dir
        self.predictor = Predictor(runs_dir, self._prediction_came)
        self._launching = False
        self._pending: SweepSpec | None = None
        """A sweep that is started once its cost is known."""

    def on_unmount(self) -> None:
        """Nobody waits for a prediction any more."""
        self.predictor.give_up()

    def wanted(self) -> Spec | SweepSpec | None:
        """What would be started, None while there are problems."""
        raise TypeError(f"{type(self).__name__} does not define wanted")

    def checked(self) -> Spec | SweepSpec | None:
        """The same; problems are said to be in the way."""
        raise TypeError(f"{type(self).__name__} does not define checked")

    def prediction_changed(self) -> None:
        """Show what is known of the cost."""
        raise TypeError(f"{type(self).__name__} does not define prediction_changed")

    def action_predict(self) -> None:
        """Ask a worker what this would cost."""
        spec = self.checked()
        if spec is not None and not self.predictor.ask(spec):
            self.say("one prediction at a time: the last one is still awaited")
        self.prediction_changed()

    def action_launch(self) -> None:
        """Make the folder and start the process that works on it."""
        spec = self.checked()
        if spec is None or self._launching:
            return
        if isinstance(spec, SweepSpec) and not self._sweep_may_start(spec):
            return
        self._start(spec)

    def _sweep_may_start(self, spec: SweepSpec) -> bool:
        """Not before its cost is predicted; when it takes very long, not before a yes."""
        found = self.predictor.of(spec)
        if found is None or found.value is None:
            self._pending = spec
            self.say("it starts when its cost is predicted")
            self.action_predict()
            return False
        long = hours(found.value)
        if long > LONG_HOURS:
            question = f"{long:.0f} device hours are predicted. Start it?"
            self.app.push_screen(Ask(question), lambda yes: self._start(spec) if yes else None)
        return long <= LONG_HOURS

    def _start(self, spec: Spec | SweepSpec) -> None:
        self._launching = True
        threading.Thread(target=self._launch, args=(spec,), daemon=True).start()

    def _launch(self, spec: Spec | SweepSpec) -> None:
        run: Run | Sweep
        try:
            if isinstance(spec, SweepSpec):
                run = doing_sweeps.start(self.runs_dir, spec)
            else:
                found = self.predictor.of(spec)
                run = doing.start(self.runs_dir, spec, found.value if found else None)
        except (PrunectlError, OSError) as error:
            self.app.call_from_thread(self.say, str(error), wrong=True)
        else:
            self.post_message(self.Launched(run))
        finally:
            self._launching = False

    def say(self, text: str, *, wrong: bool = False) -> None:
        self.app.notify(clean(text), severity="error" if wrong else "information", markup=False)

    def _prediction_came(self) -> None:
        self.post_message(self.Changed())

    @on(Changed)
    def _predicted(self) -> None:
        self.prediction_changed()
        pending, wanted = self._pending, self.wanted()
        found = self.predictor.of(pending) if pending is not None else None
        if pending is None or found is None or found.progress:
            return
        self._pending = None
        if wanted != pending:
            self.say("not started: the form was changed meanwhile")
        elif found.value is None:
            self.say(f"not started: {found.trouble}", wrong=True)
        elif self._sweep_may_start(pending):
            self._start(pending)
