"""The ledger as bars: what each stage cost, beside what was predicted, and what was saved."""

from __future__ import annotations

from typing import Any

from core.predicted import Predicted
from prunectl import words
from prunectl.tui.drawing import Line, Look, bar, centred, clean, columns, fit_line, wrap
from prunectl.tui.known import Choice, Known
from prunectl.view import ENDED, StageView


def draw(known: Known, choice: Choice, width: int, height: int, look: Look) -> list[Line]:
    """Seconds by stage, predicted and measured; passes, planned and counted; saving by rate."""
    stages = known.view.stages()
    if not stages:
        return centred("nothing has been done yet", width, height)
    lines = _bars(stages, known.predicted, width, look)
    cost = (known.summary or {}).get("cost") or {}
    if cost:
        lines += [[], *_saving(cost, known.predicted, width)]
    return lines


def seconds_of(stage: StageView) -> float:
    """What a stage's ended tasks cost; a reused one what it first cost."""
    return sum(float(t.cost.get("seconds") or 0.0) for t in stage.tasks if t.status in ENDED)


def predicted_of(stage: StageView, predicted: Predicted | None) -> float | None:
    """What a stage's ended tasks were predicted to cost, seconds; None where nothing was."""
    known = predicted.tasks if predicted else {}
    found = [known[t.id] for t in stage.tasks if t.status in ENDED and t.id in known]
    return sum(found) if found else None


def passes_of(stage: StageView) -> tuple[int, int]:
    """Sample passes of the ended tasks: planned, counted."""
    ended = [t for t in stage.tasks if t.status in ENDED]
    return sum(t.passes for t in ended), sum(int(t.cost.get("sample_passes") or 0) for t in ended)


def _bars(
    stages: list[StageView], predicted: Predicted | None, width: int, look: Look
) -> list[Line]:
    spent = [seconds_of(s) for s in stages]
    foreseen = [predicted_of(s, predicted) for s in stages]
    most = max([*spent, *(f or 0.0 for f in foreseen)]) or 1.0
    total = sum(spent) or 1.0
    told = predicted is not None
    wide = width >= 56 + 10 * told
    share = width >= 44 or not told
    room = max(width - (12 + 10 + 10 * told + 5 * share + (19 if wide else 0)), 4)
    head = f"{'stage':<11} {'seconds':>9} " + f"{'predicted':>9} " * told + "     " * share
    head += " " * room + (f" {'passes':>9}/{'planned':<8}" if wide else "")
    lines: list[Line] = [[(head, "dim")]]
    for stage, seconds, before in zip(stages, spent, foreseen, strict=True):
        planned, counted = passes_of(stage)
        line: Line = [(f"{stage.stage:<11.11} ", "text"), (f"{words.clock(seconds):>9} ", "strong")]
        if told:
            line.append((f"{words.clock(before or None):>9} ", "dim"))
        if share:
            line.append((f"{seconds / total:>4.0%} ", "dim"))
        drawn = bar(seconds / most, room, look)
        line += _ticked(drawn, (before or 0.0) / most, room, look) if before else drawn
        if wide:
            style = "warn" if counted != planned else "dim"
            line.append((f" {words.count(counted):>9}/{words.count(planned):<8}", style))
        lines.append(line)
    lines += [[(text, "dim")] for text in wrap(_in_all(stages, predicted, look), width)]
    return lines


def _in_all(stages: list[StageView], predicted: Predicted | None, look: Look) -> str:
    said = f"{words.clock(sum(map(seconds_of, stages)))} in all"
    reused = sum(s.reused for s in stages)
    if reused:
        said += f", {words.plural(reused, 'task')} reused at first cost"
    if predicted is None:
        return said
    known = [t for s in stages for t in s.tasks if t.status in ENDED and t.id in predicted.tasks]
    before = sum(predicted.tasks[t.id] for t in known)
    after = sum(float(t.cost.get("seconds") or 0.0) for t in known)
    if before > 0:
        what = f"predicted {words.clock(before)}"
        if len(known) < sum(t.status in ENDED for s in stages for t in s.tasks):
            what = f"of {words.plural(len(known), 'task')} {words.clock(after)}, {what}"
        said += f"; {what} ({after / before - 1:+.0%})"
    return f"{said}; {look.mark('┃', '|')} predicted {predicted.about}"


def _ticked(drawn: Line, share: float, width: int, look: Look) -> Line:
    """A bar with a mark where it was predicted to end."""
    at, done, place = min(int(share * width), width - 1), [], 0
    for text, style in drawn:
        cut = at - place
        if 0 <= cut < len(text):
            mark = (look.mark("┃", "|"), "warn")
            done += [(text[:cut], style), mark, (text[cut + 1 :], style)]
        else:
            done.append((text, style))
        place += len(text)
    return [piece for piece in done if piece[0]]


def _saving(cost: dict[str, Any], predicted: Predicted | None, width: int) -> list[Line]:
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
    lines: list[Line] = [[("full training ", "dim"), (full, "strong"), (f" ({measured})", "dim")]]
    if predicted is not None:
        even = words.number(cost.get("break_even_rate"), 2)
        before = words.number(predicted.break_even_rate, 2)
        said = f"break-even rate {even}; predicted: {words.clock(predicted.full_seconds)}, {before}"
        lines += [[(text, "dim")] for text in wrap(said, width)]
    return [*lines, *(fit_line(line, width) for line in columns(rows, right=(1, 2, 3, 4)))]


def _saved(share: float | None) -> tuple[str, str]:
    if share is None:
        return words.DASH, "dim"
    return f"{share:+.0%}", "good" if share > 0 else "bad"
