"""All that a key can do: the one registry.

Key bindings, the help screen, the line of hints and the command palette are made from it, so none
can say what another does not do. An action ``stop`` is the method ``action_stop`` of the screens
named in ``where``; ``app`` stands for everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

from textual.binding import Binding, BindingType

APP, RUNS, RUN, NEW_RUN, SAMPLES = "app", "runs", "run", "new_run", "samples"
SWEEP = "sweep"
TITLES = {
    RUNS: "Runs", RUN: "Run", SWEEP: "Sweep", NEW_RUN: "New run", SAMPLES: "Samples",
    APP: "Everywhere",
}  # fmt: skip


@dataclass(frozen=True)
class Action:
    """One thing to do."""

    name: str
    key: str
    label: str
    """One or two words, for the hints."""
    help: str
    where: tuple[str, ...]
    hint: bool = False
    """Whether it is in the line of hints."""
    changes: bool = False
    """Whether ``--read-only`` forbids it."""
    priority: bool = False
    """Whether the key works while something is typed."""
    shown_key: str = ""

    @property
    def keys(self) -> str:
        """The key as people read it."""
        names = {"question_mark": "?", "slash": "/", "escape": "esc"}
        first = self.key.split(",")[0]
        return self.shown_key or names.get(first, first)


_HERE = (RUNS, RUN)
_ANY = (RUNS, RUN, SWEEP)

ACTIONS: tuple[Action, ...] = (
    Action("open", "enter", "open", "Open the run or sweep under the cursor.", (RUNS,), hint=True),
    Action("filter", "slash", "filter",
           "Filter by name, status, dataset or key=value; several words must all fit, "
           "-word must not.", (RUNS,), hint=True),
    Action("new_run", "n", "new", "Compose and start a run.", (RUNS,), hint=True, changes=True),
    Action("sort", "o", "sort", "Sort by the next column; live runs stay on top.", (RUNS,),
           hint=True),
    Action("reverse", "O", "reverse", "Turn the order round.", (RUNS,)),
    Action("clear", "escape", "clear", "Leave the filter and show all runs.", (RUNS,)),
    Action("back", "escape,q", "back", "Back to the runs; the run goes on.", (RUN,), hint=True),
    Action("panel(1)", "1", "curves", "Loss and accuracy while it trains.", (RUN,)),
    Action("panel(2)", "2", "extrapolation", "How well scores are predicted.", (RUN,)),
    Action("panel(3)", "3", "trade-off", "Accuracy against prune rate.", (RUN,)),
    Action("panel(4)", "4", "cost", "The ledger, and what was saved.", (RUN,)),
    Action("panel(5)", "5", "scores", "How scores spread, predicted against measured.", (RUN,)),
    Action("panel(6)", "6", "log", "What happened, one line an event.", (RUN,)),
    Action("panel(7)", "7", "device", "Memory and use of the device.", (RUN,)),
    Action("panel(8)", "8", "stages", "The stages and their tasks.", (RUN,)),
    Action("zoom", "z", "zoom", "One panel alone, or all side by side.", (RUN,), hint=True),
    Action("axis", "x", "axis", "Curves over epochs, steps or time.", (RUN,), hint=True),
    Action("log", "l", "log", "Logarithmic loss.", (RUN,), hint=True),
    Action("accuracy", "a", "accuracy",
           "Accuracy or loss, where there is room for one chart.", (RUN,)),
    Action("smooth", "m", "smooth", "Smooth the curves: not, a little, a lot.", (RUN,), hint=True),
    Action("task(-1)", "left_square_bracket", "task", "Curves of the task before.", (RUN,),
           shown_key="["),
    Action("task(1)", "right_square_bracket", "task", "Curves of the next task.", (RUN,), hint=True,
           shown_key="]"),
    Action("overlay", "o", "overlay", "Choose tasks whose curves lie over each other.", (RUN,),
           hint=True),
    Action("seed", "e", "seed", "Scores and extrapolation of the next seed.", (RUN,)),
    Action("metric", "b", "robust", "Trade-off by test accuracy, or by robust accuracy.", (RUN,)),
    Action("cursor(-1)", "left", "read", "Read values: cursor to the left.", (RUN,),
           shown_key="left"),
    Action("cursor(1)", "right", "read", "Read values: cursor to the right.", (RUN,),
           shown_key="right"),
    Action("back", "escape,q", "back", "Back to the runs; the sweep goes on.", (SWEEP,), hint=True),
    Action("move(-1, 0)", "up,k", "move", "The cell above.", (SWEEP,), shown_key="up"),
    Action("move(1, 0)", "down,j", "move", "The cell below.", (SWEEP,), shown_key="down"),
    Action("move(0, -1)", "left,h", "move", "The cell to the left.", (SWEEP,), shown_key="left"),
    Action("move(0, 1)", "right,l", "move", "The cell to the right.", (SWEEP,), shown_key="right"),
    Action("open", "enter", "open", "Open the cell's run, once it has ended.", (SWEEP,), hint=True),
    Action("measure", "v", "value",
           "What the cells show: accuracy, correlation, saving, status.", (SWEEP,), hint=True),
    Action("failed", "f", "failed", "To the next cell that failed.", (SWEEP,), hint=True),
    Action("panel(1)", "1", "grid", "The cells over two axes.", (SWEEP,)),
    Action("panel(2)", "2", "cell", "The cell under the cursor.", (SWEEP,)),
    Action("panel(3)", "3", "failures", "What went wrong, and in which cells.", (SWEEP,)),
    Action("panel(4)", "4", "work", "What is worked on, and the best so far.", (SWEEP,)),
    Action("panel(5)", "5", "log", "What happened, one line an event.", (SWEEP,)),
    Action("retry", "t", "retry", "Try failed cells again.", (SWEEP,), hint=True,
           changes=True),
    Action("stop", "s", "stop", "Stop when the tasks that run are done; asks first.", (SWEEP,),
           hint=True, changes=True),
    Action("cancel", "c", "cancel", "Stop at the next checkpoint; asks first.", (RUNS, SWEEP),
           changes=True),
    Action("resume", "r", "resume", "Go on with a sweep that does not run.", (SWEEP,), hint=True,
           changes=True),
    Action("columns", "x", "across", "Another axis across.", (SWEEP,), hint=True),
    Action("rows", "u", "down", "Another axis down.", (SWEEP,), hint=True),
    Action("slice(-1)", "left_square_bracket", "slice", "The other axes' values before.", (SWEEP,),
           shown_key="["),
    Action("slice(1)", "right_square_bracket", "slice", "The other axes' next values.", (SWEEP,),
           hint=True, shown_key="]"),
    Action("samples", "p", "pictures", "Look at the samples.", (RUN,), hint=True),
    Action("stop", "s", "stop", "Stop it gracefully; asks first.", _HERE, hint=True,
           changes=True),
    Action("resume", "r", "resume", "Continue what was stopped, failed or killed.", _HERE,
           hint=True, changes=True),
    Action("delete", "d", "delete", "Move it to the trash; asks first.", (RUNS,),
           changes=True),
    Action("copy_id", "y", "copy id", "Copy the id.", _ANY),
    Action("copy_path", "Y", "copy path", "Copy the path of the folder.", _ANY),
    Action("report", "w", "report", "Open the report, where one exists.", _ANY),
    Action("launch", "ctrl+r", "run", "Start run or sweep.", (NEW_RUN,), hint=True, changes=True,
           priority=True),
    Action("predict", "f5", "predict", "Predict cost, break-even and disk; nothing is run.",
           (NEW_RUN,), hint=True, priority=True),
    Action("section(1)", "pagedown", "section", "The next section.", (NEW_RUN,), hint=True,
           priority=True, shown_key="pgdn"),
    Action("section(-1)", "pageup", "section", "The section before.", (NEW_RUN,), priority=True,
           shown_key="pgup"),
    Action("save_preset", "ctrl+s", "save as", "Save the form as a preset of yours.", (NEW_RUN,),
           hint=True, priority=True),
    Action("copy_command", "ctrl+y", "copy command", "Copy the equivalent command line.",
           (NEW_RUN,), hint=True, priority=True),
    Action("choose_preset", "ctrl+o", "preset", "Start from another preset.", (NEW_RUN,),
           hint=True, priority=True),
    Action("reset_field", "ctrl+z", "reset", "The field's value as the preset has it.", (NEW_RUN,),
           priority=True),
    Action("back", "escape", "back", "Back; nothing is started.", (NEW_RUN,), hint=True),
    Action("view(1)", "v", "view", "Ends of the score, disagreement, kept and dropped.",
           (SAMPLES,), hint=True),
    Action("view(-1)", "V", "view", "The view before.", (SAMPLES,)),
    Action("pick_class(1)", "c", "class", "One class alone, then the next, then all.", (SAMPLES,),
           hint=True),
    Action("pick_class(-1)", "C", "class", "The class before.", (SAMPLES,)),
    Action("rate(1)", "r", "rate", "The next prune rate.", (SAMPLES,), hint=True),
    Action("rate(-1)", "R", "rate", "The prune rate before.", (SAMPLES,)),
    Action("method(1)", "m", "method", "What another method or baseline kept.", (SAMPLES,),
           hint=True),
    Action("seed(1)", "e", "seed", "The next seed.", (SAMPLES,), hint=True),
    Action("page(1)", "right,pagedown,space", "page", "More pictures.", (SAMPLES,), hint=True,
           shown_key="right"),
    Action("page(-1)", "left,pageup", "page", "The pictures before.", (SAMPLES,),
           shown_key="left"),
    Action("page(0)", "home", "first", "Back to the first pictures.", (SAMPLES,)),
    Action("zoom(1)", "plus,equals_sign", "larger", "Larger pictures, fewer of them.", (SAMPLES,),
           hint=True, shown_key="+"),
    Action("zoom(-1)", "minus", "smaller", "Smaller pictures, more of them.", (SAMPLES,),
           shown_key="-"),
    Action("copy_ids", "y", "copy ids", "Copy the ids of the samples in sight.", (SAMPLES,)),
    Action("back", "escape,q", "back", "Back to the run.", (SAMPLES,), hint=True),
    Action("help", "question_mark,f1", "help", "This list.", (APP,), hint=True),
    Action("command_palette", "ctrl+p", "commands", "Find an action by its name.", (APP,)),
    Action("next_theme", "T", "theme", "The next theme: dark, light, colour-blind safe, "
           "monochrome.", (APP,)),
    Action("detach", "ctrl+c,ctrl+q", "leave", "Leave the console; runs go on.", (APP,),
           priority=True),
    Action("leave", "q", "leave", "Leave the console; runs go on.", (RUNS,), hint=True),
)  # fmt: skip


def actions_for(where: str) -> list[Action]:
    """The actions of a screen, its own first."""
    own = [a for a in ACTIONS if where in a.where]
    return own if where == APP else own + [a for a in ACTIONS if APP in a.where]


def bindings(where: str) -> list[BindingType]:
    """The key bindings of a screen, or of the application."""
    return [
        Binding(a.key, a.name, a.help, show=False, priority=a.priority)
        for a in ACTIONS
        if where in a.where
    ]
