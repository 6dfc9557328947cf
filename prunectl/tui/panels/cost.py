"""The ledger as bars: what each stage cost, planned and counted, and what was saved."""

from __future__ import annotations

from typing import Any

from prunectl import words
from prunectl.tui.drawing import Line, Look, bar, centred, clean, columns, fit_line
from prunectl.tui.known import Choice, Known
from prunectl.view import ENDED, StageView


def draw(known: Known, choice: Choice, width: int, height: int, look: Look) -> list[Line]:
    """Seconds by stage; planned against counted passes; saving by rate."""
    stages = known.view.stages()
    if not stages:
        return centred("nothing has been done yet", width, height)
    lines = _bars(stages, width, look)
    cost = (known.summary or {}).get("cost") or {}
    if cost:
        lines += [[], *_saving(cost, width, look)]
    return lines


def seconds_of(stage: StageView) -> float:
    """What a stage's ended tasks cost; a reused one what it first cost."""
    return sum(float(t.cost.get("seconds") or 0.0) for t in stage.tasks if t.status in ENDED)


def passes_of(stage: StageView) -> tuple[int, int]:
    """Sample passes of the ended tasks: planned, counted."""
    ended = [t for t in stage.tasks if t.status in ENDED]
    return sum(t.passes for t in ended), sum(int(t.cost.get("sample_passes") or 0) for t in ended)


def _bars(stages: list[StageView], width: int, look: Look) -> list[Line]:
    spent = [seconds_of(s) for s in stages]
    most = max(spent) or 1.0
    total = sum(spent) or 1.0
    wide = width >= 56
    room = max(width - (12 + 10 + 5 + (19 if wide else 0)), 4)
    head = f"{'stage':<11} {'seconds':>9} {'':>4} " + " " * room
    lines: list[Line] = [[(head + (f" {'passes':>9}/{'planned':<8}" if wide else ""), "dim")]]
    for stage, seconds in zip(stages, spent, strict=True):
        planned, counted = passes_of(stage)
        line: Line = [(f"{stage.stage:<11.11} ", "text"), (f"{words.clock(seconds):>9} ", "strong"),
                      (f"{seconds / total:>4.0%} ", "dim"),
                      *bar(seconds / most, room, look)]  # fmt: skip
        if wide:
            style = "warn" if counted != planned else "dim"
            line.append((f" {words.count(counted):>9}/{words.count(planned):<8}", style))
        lines.append(line)
    reused = sum(s.reused for s in stages)
    said = f"{words.clock(sum(spent))} in all"
    if reused:
        said += f", {words.plural(reused, 'task')} reused at first cost"
    lines.append([(said, "dim")])
    return lines


def _saving(cost: dict[str, Any], width: int, look: Look) -> list[Line]:
    """By method and rate: the loop against full training."""
    measured = "measured" if cost.get("full_measured") else "predicted"
    full = words.clock(cost.get("full_training_seconds"))
    rows: list[list[tuple[str, str]]] = [
        [("method", "dim"), ("rate", "dim"), ("loop", "dim"), ("saved", "dim"), ("passes", "dim")]
    ]
    for one in cost.get("by_rate") or []:
        if one.get("method") == "full":
            continue
        rows.append([
            (clean(one.get("method")), "text"), (f"{one.get('rate', 0):.2f}", "text"),
            (words.clock(one.get("loop_seconds")), "text"), _saved(one.get("saving")),
            _saved(one.get("saving_passes")),
        ])  # fmt: skip
    head: Line = [("full training ", "dim"), (full, "strong"), (f" ({measured})", "dim")]
    return [head, *(fit_line(line, width) for line in columns(rows, right=(1, 2, 3, 4)))]


def _saved(share: float | None) -> tuple[str, str]:
    if share is None:
        return words.DASH, "dim"
    return f"{share:+.0%}", "good" if share > 0 else "bad"
