"""``extrapolate`` and ``prune``: the two halves of the loop on files people already have."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from core.errors import UserError
from prunectl import words
from prunectl.cli import output
from prunectl.jobs import ask

_EVERY = 2.0  # seconds between two lines of progress


def extrapolate(
    embeddings: Path,
    scores: Path,
    out: Path,
    *,
    labels: Path | None,
    method: str,
    assign: list[str],
    seed: int,
    threads: int | None,
    max_memory: str | None,
    in_sample: bool,
    as_json: bool,
) -> int:
    """The command; returns the exit code."""
    job = {
        "job": "extrapolate", "embeddings": str(embeddings.absolute()),
        "scores": str(scores.absolute()), "labels": str(labels.absolute()) if labels else None,
        "out": str(out.absolute()), "method": method, "options": options(assign), "seed": seed,
        "threads": threads or os.cpu_count(), "max_memory": max_memory,
        "in_sample": in_sample,
    }  # fmt: skip
    found = ask(job, Narrator())
    found["out"] = str(out)
    if as_json:
        output.data_json(found)
        return output.OK
    for line in sentences(found):
        output.data(line)
    return output.OK


def prune(
    scores: Path,
    rate: float,
    out: Path,
    *,
    policy: str,
    labels: Path | None,
    column: str,
    low: bool,
    assign: list[str],
    seed: int,
    as_json: bool,
) -> int:
    """The command; returns the exit code."""
    job = {
        "job": "prune", "scores": str(scores.absolute()), "rate": rate,
        "out": str(out.absolute()), "policy": policy, "column": column, "seed": seed,
        "labels": str(labels.absolute()) if labels else None,
        "direction": "low" if low else "high", "options": options(assign),
    }  # fmt: skip
    found = ask(job)
    found["out"] = str(out)
    if as_json:
        output.data_json(found)
        return output.OK
    share = found["subset_share"]
    shown = "" if share is None else f"; {words.percent(share, 1)}% of them were scored themselves"
    output.data(
        f"kept {words.count(found['n_kept'])} of {words.count(found['n'])} samples "
        f"({policy}, rate {rate:g}){shown}"
    )
    output.data(f"written to {out}")
    return output.OK


def options(assign: list[str]) -> dict[str, Any]:
    """``KEY=VALUE`` texts as a mapping, values read as YAML."""
    found: dict[str, Any] = {}
    for text in assign:
        key, sign, value = text.partition("=")
        if not sign or not key:
            raise UserError(f"--set {text} is not KEY=VALUE")
        try:
            found[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise UserError(f"--set {text}: the value is no YAML") from error
    return found


def sentences(found: Mapping[str, Any]) -> list[str]:
    """What is said of an extrapolation."""
    heldout = found["heldout"]
    unscored = found["n"] - found["scored"]
    lines = [
        f"predicted {words.count(unscored)} of {words.count(found['n'])} samples from "
        f"{words.count(found['scored'])} scored ones by {found['method']}",
        f"chosen: {_settings(found['chosen'])}",
        _correlation(heldout),
    ]
    if found["coverage80"] is not None:
        lines.append(f"80% intervals held {words.percent(found['coverage80'], 0)}% of them")
    return [*lines, *found.get("notes", ()), f"written to {found['out']}"]


def _settings(chosen: Mapping[str, Any]) -> str:
    """``k 20, weights distance``; all of them, as nothing else records them."""
    shown = {k: "+".join(map(str, v)) if isinstance(v, list) else v for k, v in chosen.items()}
    return ", ".join(f"{key} {value}" for key, value in shown.items())


def _correlation(heldout: Mapping[str, Any]) -> str:
    count = words.count(heldout["n"])
    if heldout["spearman"] is None:
        return f"held-out rank correlation undefined: the scores do not vary (n = {count})"
    span = words.interval(heldout["ci_low"], heldout["ci_high"]) or "(no interval)"
    return (
        f"held-out rank correlation {words.number(heldout['spearman'])} {span}, n = {count}: "
        "agreement with the given scores"
    )


class Narrator:
    """Progress on stderr: a line when something is done, and every two seconds before that."""

    def __init__(self) -> None:
        self.last = time.monotonic()

    def __call__(self, line: Mapping[str, Any]) -> None:
        """Say one progress line of the worker, or leave it out."""
        what, done, total = line.get("what"), line.get("done"), line.get("total")
        if what is None or done is None or not total:
            return
        if time.monotonic() - self.last >= _EVERY:
            self.last = time.monotonic()
            output.say(f"{what}: {words.count(done)} of {words.count(total)}")
