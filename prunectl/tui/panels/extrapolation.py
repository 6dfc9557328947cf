"""How well scores are predicted: the candidates as they are measured, and what is true of it."""

from __future__ import annotations

from typing import Any

from prunectl import words
from prunectl.tui.drawing import Line, Look, bar, centred, clean, columns, fit_line, width_of
from prunectl.tui.known import Choice, Known
from prunectl.view import View


def draw(known: Known, choice: Choice, width: int, height: int, look: Look) -> list[Line]:
    """Candidates of one seed with bars, then the correlations of the summary."""
    seed = known.seed(choice)
    found = results(known, seed)
    candidates = _candidates(known.view, seed)
    if not candidates and not found:
        return centred("no score has been extrapolated yet", width, height)
    lines: list[Line] = [[(f"seed {seed}", "strong"), (_of_seeds(known), "dim")]]
    facts = [line for one in found for line in _facts(one, width)]
    lines += facts + ([[]] if facts and candidates else [])
    lines += _bars(candidates, width, look)
    return lines


def _of_seeds(known: Known) -> str:
    seeds = known.seeds()
    return f" of {len(seeds)}, next with e" if len(seeds) > 1 else ""


def results(known: Known, seed: int | None) -> list[dict[str, Any]]:
    """The summary's extrapolation entries of a seed."""
    entries = (known.summary or {}).get("extrapolation") or []
    return [e for e in entries if e.get("seed") == seed]


def _candidates(view: View, seed: int | None) -> list[tuple[str, float | None, bool]]:
    found = [e for e in view.extrapolated if e.seed == seed]
    fixed = {
        key for key in (found[0].params if found else {})
        if len(found) > 1 and len({repr(e.params.get(key)) for e in found}) == 1
    }  # fmt: skip
    return [
        (words.params({k: v for k, v in e.params.items() if k not in fixed}), e.heldout, e.chosen)
        for e in found
    ]


def _bars(candidates: list[tuple[str, float | None, bool]], width: int, look: Look) -> list[Line]:
    if not candidates:
        return []
    head = "held-out Spearman by candidate (optimistic)"
    if width < len(head):
        head = "held-out, by candidate (optimistic)"
    lines: list[Line] = [[(head, "dim")]]
    longest = min(max(len(c[0]) for c in candidates), max(width // 3, 8))
    best = max((abs(c[1] or 0.0) for c in candidates), default=1.0) or 1.0
    room = max(width - longest - 11, 4)
    for name, value, chosen in candidates:
        mark = look.mark("▸", ">") if chosen else " "
        line: Line = [(f"{mark} ", "good"), (f"{clean(name):<{longest}.{longest}} ", "text")]
        line.append((f"{words.number(value):>6} ", "strong" if chosen else "text"))
        line += bar(max(value or 0.0, 0.0) / best, room, look, "good" if chosen else "bar")
        lines.append(line)
    return lines


_HELD = "of the held-out scores lie within; 80% would be right"


def _facts(one: dict[str, Any], width: int) -> list[Line]:
    """The correlations, each with what it means; the optimistic one is called so."""
    heldout, reference = one.get("heldout") or {}, one.get("reference") or {}
    against = "held-out, optimistic: the subset's own scores"
    rows: list[list[tuple[str, str]]] = [_row("held-out", heldout, "", "dim", against)]
    if crossfit := one.get("crossfit"):
        rows.append(_row("cross-fitted", crossfit, "", "text", "nets that did not see the sample"))
    if reference:
        about = "unscored samples, against full scores"
        rows.append(_row("truth", reference, "", "strong", about))
        for name, said in (("ceiling", "subset scores against full ones, scored samples"),
                           ("reliability", "two full runs against each other")):  # fmt: skip
            plain = {"spearman": reference.get(f"{name}_spearman")}
            rows.append(_row(name, plain, "", "text", said))
    if generated := one.get("generated"):
        about = "of generated samples alone; held-out, optimistic"
        rows.append(_row("generated", generated["heldout"], "", "dim", about))
        if generated["reference"]:
            about = "unscored generated samples, against full scores"
            rows.append(_row("generated, truth", generated["reference"], "", "text", about))
    if (share := one.get("coverage80")) is not None:
        value = f"{100 * share:.0f}%"
        rows.append([("80% intervals", "text"), (value, "text"), ("", "dim"), (_HELD, "dim")])
    for end in one.get("until") or ():
        value, best = f"{end['epoch']} of {end['of']}", words.percent(end["accuracy"], 1)
        about = f"scores end there: best {words.judged(end['by'])} on validation, {best}%"
        rows.append([("last epoch", "text"), (value, "text"), ("", "dim"), (about, "dim")])
    name = f"{one.get('method')} {words.params(one.get('chosen'))}"
    lines: list[Line] = [[(clean(name), "text"), (f"  {clean(one.get('score'))}", "dim")]]
    table = columns(rows, right=(1,))
    if table and max(map(width_of, table)) > width:
        table = columns([row[:3] for row in rows], right=(1,), gap=1)
    return lines + [fit_line(row, width) for row in table]


def _row(
    name: str, values: dict[str, Any], _: str, style: str, about: str
) -> list[tuple[str, str]]:
    interval = words.interval(values.get("ci_low"), values.get("ci_high"))
    value = words.number(values.get("spearman"))
    if name == "held-out":
        name = "held-out (optimistic)"
    return [(name, style), (value, style), (interval, "dim"), (about, "dim")]
