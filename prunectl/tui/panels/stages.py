"""The rail: the stages with how far they are, what they took and what was found done."""

from __future__ import annotations

import time

from prunectl import words
from prunectl.tui.drawing import Line, Look, clean, fit, fit_line, thin_bar, wrap
from prunectl.tui.known import Choice, Known
from prunectl.tui.panels.cost import passes_of, seconds_of
from prunectl.view import StageView, View

_SHOWN = {"train/loss": "loss {:.4f}", "train/accuracy": "train {:.1%}",
          "test/accuracy": "test {:.1%}"}  # fmt: skip


def draw(known: Known, choice: Choice, width: int, height: int, look: Look) -> list[Line]:
    """Three lines a stage where there is room, one else; then the task at work, then errors."""
    view = known.view
    stages = view.stages()
    if not stages:
        return [[(_waiting(known), "dim")]]
    roomy = height >= 3 * len(stages) + 3
    lines: list[Line] = []
    for stage in stages:
        lines += _stage(stage, width, look, roomy)
    lines += [[], *_now(view, width)]
    lines += _errors(known, width)
    return lines


def _waiting(known: Known) -> str:
    if not known.read_all:
        return "reading"
    if known.state.behind:
        return f"queued behind {clean(known.state.behind)}"
    if said := known.view.preparing:
        return f"preparing {clean(said.task)} {said.done / (said.total or 1):.0%}"
    return "preparing"


def mark(stage: StageView, look: Look) -> tuple[str, str]:
    """A character and a style for how a stage stands."""
    if stage.failed:
        return look.mark("✗", "x"), "bad"
    if stage.finished == stage.total:
        return look.mark("✓", "+"), "good"
    if stage.running:
        return look.mark("▶", ">"), "live"
    return look.mark("·", "."), "dim"


def _stage(stage: StageView, width: int, look: Look, roomy: bool) -> list[Line]:
    sign, style = mark(stage, look)
    counted = f"{stage.finished}/{stage.total}"
    spent = seconds_of(stage)
    took = words.clock(spent) if stage.finished else ""
    name = "strong" if stage.running else "text" if stage.finished else "dim"
    right = f"{counted:>5} {took:>7}"
    first: Line = [(f"{sign} ", style), (fit(stage.stage, width - 2 - len(right)), name),
                   (right, "dim")]  # fmt: skip
    if not roomy:
        return [fit_line(first, width)]
    if 0 < stage.share < 1:
        return [first, [("  ", ""), *thin_bar(stage.share, width - 2, look, style)], []]
    _, passes = passes_of(stage)
    said = f"{words.count(passes)} passes" if passes else ""
    if stage.reused:
        said += f"{', ' if said else ''}{stage.reused} reused"
    return [first, fit_line([("  ", ""), (said, "dim")], width), []]


def _now(view: View, width: int) -> list[Line]:
    """The task at work: epoch or steps, and its latest numbers."""
    task = view.running
    if task is None:
        return []
    lines: list[Line] = [[(clean(task.trial or f"seed {task.seed}"), "live")]]
    if task.total:
        epoch = view.epoch_of(task)
        done, total = epoch or (round(task.done), round(task.total))
        lines.append([(f"{'epoch' if epoch else clean(task.unit)} {done}/{total}", "text")])
    said = [
        shown.format(value)
        for series, shown in _SHOWN.items()
        if (value := view.latest(task.id, series)) is not None
    ]
    lines += [[(text, "text")] for text in wrap("  ".join(said), width) if text]
    return [fit_line(line, width) for line in lines]


def _errors(known: Known, width: int) -> list[Line]:
    said = [*known.view.errors, *([known.trouble] if known.trouble else [])]
    return [[(text, "bad")] for error in said for text in wrap(clean(error), width)]


def head(known: Known, width: int, look: Look) -> list[Line]:
    """One line over all: which run, its status, how far, how long, how much longer."""
    view = known.view
    letter, style = STATUS.get(known.status, ("?", "warn"))
    reason = view.reason if view.reason not in (None, known.status) else None
    status = f"{letter} {known.status}{f' ({clean(reason)})' if reason else ''}"
    line: Line = [(clean(known.run.id), "strong"), ("  ", ""), (status, style)]
    alive = known.state.alive
    if view.tasks and known.status != "finished":
        line.append((f"  {view.share:.0%}", "text"))
    if view.work_began is not None and view.last is not None:
        end = time.time() if alive else view.last
        line.append((f"  {words.elapsed(end - view.work_began)}", "dim"))
        left = view.seconds_left(end) if alive else None
        if left is not None:
            line.append((f", {words.about(left)} left", "dim"))
    if view.sessions > 1:
        line.append((f"  session {view.sessions}", "dim"))
    if known.state.behind and alive:
        line.append((f"  behind {clean(known.state.behind)}", "warn"))
    return [fit_line(line, width)]


STATUS = {
    "running": ("R", "live"), "queued": ("Q", "warn"), "finished": ("F", "good"),
    "stopped": ("S", "warn"), "failed": ("X", "bad"), "stale": ("!", "bad"),
    "begun": ("B", "live"),  # a cell of a sweep that waits for its next task
}  # fmt: skip
"""A letter and a style for each status."""
