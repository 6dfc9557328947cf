"""Training curves: loss above, accuracy below, of one task or of several over each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from prunectl import words
from prunectl.tui.charts.line import Axes, line_chart
from prunectl.tui.charts.series import Curve, Floats, smooth
from prunectl.tui.drawing import Line, Look, centred, clean, fit_line
from prunectl.tui.known import SMOOTHING, Choice, Known, column
from prunectl.tui.panels.tradeoff import trial_parts

MOST = 8
_ACCURACIES = (
    "test/accuracy", "test/robust_accuracy", "validation/accuracy", "validation/robust_accuracy",
    "train/accuracy",
)  # fmt: skip


def draw(known: Known, choice: Choice, width: int, height: int, look: Look) -> list[Line]:
    """As many charts as the height carries."""
    tasks = known.shown_tasks(choice)[:MOST]
    if not tasks:
        return centred(_why_none(known), width, height)
    loss, accuracy = curves_of(known, choice, tasks)
    axes = Axes(x_name=choice.axis, cursor=choice.cursor)
    if choice.axis == "time":
        axes = Axes(x_name="time", cursor=choice.cursor, x_label=words.clock)
    lines: list[Line] = [fit_line(_title(tasks, choice, width), width)]
    room = height - 1
    both = bool(loss and accuracy) and room >= 11
    upper = room - room // 2 if both else room
    if both or not accuracy or (loss and not choice.accuracy):
        lines += line_chart(loss, width, upper, look, replace(axes, log=choice.log))
    if accuracy and len(lines) == 1 or both:
        lines += line_chart(
            accuracy, width, height - len(lines), look, replace(axes, y_label=_percent)
        )
    return lines[:height]


def _title(tasks: list[str], choice: Choice, width: int) -> Line:
    said = clean(tasks[0]) if len(tasks) == 1 else f"{len(tasks)} tasks"
    notes = [choice.axis] + ["log"] * choice.log
    notes += [f"smoothed over {SMOOTHING[choice.smoothing]:.0%}"] * bool(choice.smoothing)
    note = f"  {', '.join(notes)}"
    if len(tasks) == 1 and len(said) + len(note) > width:
        stage, short = said.partition("-")[0], clean(short_name(tasks[0]))
        said = short if short.startswith(stage) else f"{stage} {short}"
    return [(said, "strong"), (note, "dim")]


def short_name(task: str) -> str:
    """``retrain-s0-knn-class_balanced-r0.3000`` as ``s0 knn 0.30``."""
    _, _, trial = task.partition("-")
    about = trial_parts(trial)
    if about is None:
        return task.replace("-", " ")
    return f"{trial.partition('-')[0]} {about[0]} {about[1]:.2f}"


def curves_of(known: Known, choice: Choice, tasks: list[str]) -> tuple[list[Curve], list[Curve]]:
    """Loss curves and accuracy curves. One task: each of its series; several: one series each."""
    loss, accuracy = [], []
    for number, task in enumerate(tasks):
        named = known.view.curves[task]
        name = "loss" if len(tasks) == 1 else short_name(task)
        if "train/loss" in named:
            loss.append(_curve(known, choice, task, "train/loss", name, number))
        there = [a for a in _ACCURACIES if a in named]
        if len(tasks) > 1:
            there = there[:1]
        for index, series in enumerate(there):
            said = (
                series.replace("/", " ").replace("_", " ") if len(tasks) == 1 else short_name(task)
            )
            colour = number if len(tasks) > 1 else index + 1
            accuracy.append(_curve(known, choice, task, series, said, colour))
    return loss, accuracy


def _curve(known: Known, choice: Choice, task: str, series: str, name: str, number: int) -> Curve:
    found = known.view.curves[task][series]
    value = column(found, "value")
    x = column(found, "epoch" if choice.axis == "epoch" else "step")
    if choice.axis == "time":
        x = times(known, task, x)
    window = int(len(value) * SMOOTHING[choice.smoothing])
    return Curve(name, x, smooth(value, window), number)


def times(known: Known, task: str, step: Floats) -> Floats:
    """Seconds since the task began at each step, between two that are known by their share."""
    marks = known.view.marks.get(task)
    if not marks or not marks.step:
        return step
    ts = np.asarray(marks.ts)
    seconds: Floats = np.interp(step, marks.step, ts - ts[0])
    return seconds


def _why_none(known: Known) -> str:
    if not known.read_all:
        return "reading"
    if known.state.behind:
        return f"queued behind {clean(known.state.behind)}"
    return "no training has said anything yet"


def _percent(value: float) -> str:
    return f"{100 * value:.1f}%"
