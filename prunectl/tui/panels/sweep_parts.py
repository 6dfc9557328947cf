"""What stands around the grid of a sweep: its head, one cell, failures, work, and a last line."""

from __future__ import annotations

import time

from prunectl import words
from prunectl.sweep.view import CellView
from prunectl.tui.drawing import Line, Look, bar, clean, columns, fit, wrap
from prunectl.tui.known_sweep import KnownSweep, SweepChoice
from prunectl.tui.panels.stages import STATUS
from prunectl.tui.panels.sweep_grid import settings_text, standing_of

_BAR = 16
_IDS = 8
_NARROW = 76
_NOTES = 56
"""Cells of width below which something is left out: of the head, of the figures."""


def head(known: KnownSweep, width: int, look: Look) -> list[Line]:
    """One line over all: which sweep, its status, its cells, how far, how much longer."""
    view = known.view
    letter, style = STATUS.get(known.status, ("?", "warn"))
    reason = known.state.reason if known.state.reason not in (None, known.status) else None
    narrow = width < _NARROW
    name = known.sweep.id.partition("-")[0] if narrow else known.sweep.id
    status = f"{letter} {known.status}{f' ({clean(reason)})' if reason and not narrow else ''}"
    line: Line = [(clean(name), "strong"), ("  ", ""), (status, style)]
    if view.cells:
        counted = ", ".join(f"{n} {name}" for name, n in sorted(view.counted().items()))
        line.append((f"  {counted}", "text"))
    alive = known.state.alive
    if view.tasks and known.status != "finished":
        line.append((f"  {view.share:.0%}", "text"))
    if view.work_began is not None and view.last is not None:
        end = time.time() if alive else view.last
        line.append((f"  {words.elapsed(end - view.work_began)}", "dim"))
        left = view.seconds_left(end) if alive else None
        if left is not None:
            line.append((f", {words.about(left)} left", "dim"))
    if known.trouble:
        line.append((f"  {clean(known.trouble)}", "bad"))
    return [line]


def cell(known: KnownSweep, choice: SweepChoice, width: int, height: int, look: Look) -> list[Line]:
    """The cell under the cursor: settings, how it stands, figures, what went wrong."""
    found = known.cell(choice)
    if found is None:
        return [[("no cell", "dim")]]
    letter, style = standing_of(found)
    reason = f" ({clean(found.reason)})" if found.reason else ""
    done = f"  {found.done} of {words.plural(found.tasks, 'task')}"
    lines: list[Line] = [
        [(clean(found.id), "strong")],
        [(f"{letter} {found.shown}{reason}", style), (done, "dim")],
    ]
    lines += [[(text, "text")] for text in wrap(settings_text(found, known.view.axes), width)]
    rows = _figures(found)
    lines += columns(rows if width >= _NOTES else [row[:2] for row in rows], right=(1,))
    lines += [[(text, "bad")] for text in wrap(clean(found.what), width) if found.what]
    if found.ended:
        lines.append([("enter opens it", "dim")])
    return lines


def _figures(found: CellView) -> list[Line]:
    figures = found.figures
    if not figures:
        return []
    rate = figures.get("rate")
    at = f" at rate {words.number(rate, 2)}" if rate is not None else ""
    saving = figures.get("saving")
    rows: list[Line] = [
        [("test accuracy", "dim"), (words.percent(figures.get("test_accuracy")) + "%", "text"),
         (at.strip(), "dim")],
        [("held-out rank correlation", "dim"), (words.number(figures.get("spearman")), "text"),
         ("optimistic", "dim")],
        [("saving", "dim"), (words.DASH if saving is None else f"{saving:+.0%}",
                             "dim" if saving is None else "good" if saving > 0 else "bad"),
         ("against full training", "dim")],
    ]  # fmt: skip
    return rows if figures.get("test_accuracy") is not None else rows[1:2]


def about(known: KnownSweep, choice: SweepChoice, width: int, look: Look) -> list[Line]:
    """One line on the cell under the cursor, where there is no room for more."""
    found = known.cell(choice)
    if found is None:
        return [[]]
    letter, style = standing_of(found)
    said = clean(found.reason or found.shown)
    return [[(f"{letter} {said}  ", style), (settings_text(found, known.view.axes), "text")]]


def failures(
    known: KnownSweep, choice: SweepChoice, width: int, height: int, look: Look
) -> list[Line]:
    """Each reason once, with the cells that failed for it."""
    groups: dict[tuple[str, str], list[str]] = {}
    for one in known.failed():
        about_it = (one.reason or "failed", one.what)
        groups.setdefault(about_it, []).append(one.id.partition("-")[0])
    if not groups:
        return [[("no cell has failed", "dim")]]
    lines: list[Line] = []
    for (reason, what), ids in groups.items():
        lines.append([(f"X {clean(reason)}: {words.plural(len(ids), 'cell')}", "bad")])
        listed = ", ".join(ids[:_IDS])
        more = f" and {len(ids) - _IDS} more" if len(ids) > _IDS else ""
        lines += [[(text, "text")] for text in wrap(f"cells {clean(listed)}{more}", width)]
        lines += [[(text, "dim")] for text in wrap(clean(what), width)]
    if not known.state.alive:
        lines.append([("t tries them again", "dim")])
    return lines


def work(known: KnownSweep, choice: SweepChoice, width: int, height: int, look: Look) -> list[Line]:
    """Slots, the tasks that are worked on, and the best cell so far."""
    view = known.view
    lines: list[Line] = []
    if view.slots:
        slots = f"{clean(view.device)}, {words.plural(len(view.slots), 'slot')}"
        if view.device == "cpu":
            slots += f" of {words.plural(view.threads, 'thread')}"
        lines.append([(slots, "dim")])
    for task in view.at_work() if known.state.alive else []:
        users = words.plural(len(view.cells_of.get(task.id, ())), "cell")
        lines.append([(fit(clean(task.id), width, ellipsis=look.mark("…", "~")), "live")])
        lines.append([*bar(task.share, min(_BAR, width - 14), look), (f"  for {users}", "dim")])
    done = sum(stage.finished for stage in view.stages())
    reused = sum(stage.reused for stage in view.stages())
    found = f", {reused} found done" if reused else ""
    lines.append([(f"{done} of {words.plural(len(view.tasks), 'task')} done{found}", "text")])
    if (best := view.best()) is not None:
        rate = words.number(best.figures.get("rate"), 2)
        said = f"best so far: {words.percent(best.figures.get('test_accuracy'))}% at rate {rate}, "
        lines += [[(text, "good")] for text in wrap(said + settings_text(best, view.axes), width)]
    if not known.failed():  # what went wrong in cells stands among the failures
        errors = view.errors[-2:]
        lines += [[(text, "bad")] for error in errors for text in wrap(clean(error), width)]
    return lines
