"""Under which recipe each score was made, in words: from ``summary.json``, key ``scores``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core import words
from core.report.html import table

_SHOWN = {
    "train_forward": "in the training forward itself, augmented, before the step",
    "extra_forward": "in a second forward of every step, not augmented, in evaluation mode",
    "eval_pass": "in a pass in evaluation mode at the end of each epoch it reads",
}
_UNWATCHED = {
    "embedded": "computed from the embeddings of all samples",
    "given": "every sample has one without any training",
}
_ORDINAL = {1: "st", 2: "nd", 3: "rd"}


def recipe_table(rows: list[Mapping[str, Any]]) -> str | None:
    """One line a score; None where a summary of an earlier version does not say."""
    if not rows:
        return None
    return table(
        ["score", "kept", "recipe"],
        [(r["name"], f"{r['direction']} values", recipe(r)) for r in rows],
        "How each score was made; the first is pruned by",
    )


def recipe(row: Mapping[str, Any]) -> str:
    """A score's preset, what it was shown, which epochs, windows, nets and further options."""
    options = dict(row.get("options") or {})
    said = [f"preset {row['preset']}"] if row.get("preset") else []
    if row["kind"] == "trained":
        said.append(_SHOWN.get(str(row.get("record")), str(row.get("record"))))
        said += _epochs(options)
        said += _window(row.get("window"))
        nets = row.get("nets") or 1
        said.append("one scoring net" if nets == 1 else f"mean over {nets} scoring nets")
    else:
        said.append(_UNWATCHED.get(str(row["kind"]), str(row["kind"])))
    said += [f"{name.replace('_', ' ')} {value}" for name, value in options.items()]
    return "; ".join(said)


def _epochs(options: dict[str, Any]) -> list[str]:
    """Takes the options ``epoch`` and ``span`` out and says them, counted from 1."""
    if "span" not in options:
        return ["all epochs"]
    first, span = int(options.pop("epoch", 0)), int(options.pop("span"))
    if span == 0:
        return ["all epochs" if first == 0 else f"{_place(first)} and all that follow"]
    if span == 1:
        return [f"{_place(first)} alone"]
    return [f"{words.plural(span, 'epoch')}, {_place(first)} first"]


def _place(epoch: int) -> str:
    """``the 10th epoch``, or ``the last epoch`` where it is counted from the end."""
    if epoch == -1:
        return "the last epoch"
    number = epoch + 1 if epoch >= 0 else -epoch
    ending = "th" if 10 < number % 100 < 20 else _ORDINAL.get(number % 10, "th")
    return f"the {number}{ending} epoch" + ("" if epoch >= 0 else " from the end")


def _window(window: Mapping[str, Any] | None) -> list[str]:
    if not window:
        return []
    said = f"windows of {words.plural(int(window['length']), 'epoch')}"
    if window.get("skip"):
        said += f", the first {window['skip']} left out"
    if window.get("drop_last"):
        said += ", the very last window left out"
    return [said, "biased deviation" if window.get("ddof") == 0 else "unbiased deviation"]
