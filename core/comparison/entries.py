"""One run as a comparison sees it: settings, machine, and every figure by seed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from core import events as ev
from core.errors import UserError
from core.journal import Tail
from core.runs import Run
from core.units import digest

_CODE = 4
_OWN = ("name", "tracking", "sweep")
_HOUSEKEEPING = (
    "compute.device", "compute.threads", "compute.checkpoint_every", "compute.keep_models",
)  # fmt: skip
_RECIPE = ("model", "paradigm", "retrain", "compute")


@dataclass(frozen=True)
class Point:
    """What one (method, policy, rate) of a run gave."""

    method: str
    policy: str | None
    rate: float
    metric: str
    values: Mapping[int, float]
    """The metric by seed."""
    luck: tuple[Any, ...] = ()
    """Seconds and steps of the retrainings: equal ones are the same retrainings."""
    loop_seconds: float | None = None
    loop_passes: float | None = None
    saving: float | None = None
    saving_passes: float | None = None


@dataclass(frozen=True)
class Entry:
    """One run."""

    id: str
    label: str
    status: str
    method: str
    """The spec's own method: its extrapolator."""
    seeds: tuple[int, ...]
    settings: Mapping[str, Any]
    """Dotted keys of the spec that can change a result."""
    machine: Mapping[str, str]
    """Where the seconds were measured; empty when the journal does not say."""
    fingerprint: str
    about: Mapping[str, Any]
    """The summary's ``data`` section."""
    points: Sequence[Point] = field(default=())

    @property
    def data(self) -> str:
        """Hash of samples and everything that was asked for of them; the folder may be moved."""
        asked = {k: v for k, v in self.settings.items() if k.startswith("data.")}
        asked.pop("data.root", None)
        return digest([self.fingerprint, asked])

    @property
    def recipe(self) -> str:
        """Hash of what a retraining depends on but for the samples kept."""
        parts = {k: v for k, v in self.settings.items() if k.split(".")[0] in _RECIPE}
        return digest([self.data, parts])


def read_entry(run: Run, label: str) -> Entry:
    """A run folder as an entry. UserError when it has no results yet."""
    summary = run.summary()
    if summary is None:
        raise UserError(f"{run.id} has no results yet", f"it is {run.state().shown}")
    spec = yaml.safe_load(run.spec_file.read_text(encoding="utf-8"))
    found = entry(summary, spec, machine_of(run), label, run.state().shown)
    return replace(found, id=run.id)  # the folder may have been renamed


def entry(
    summary: Mapping[str, Any],
    spec: Mapping[str, Any],
    machine: Mapping[str, str],
    label: str,
    status: str,
) -> Entry:
    """An entry of what a run folder holds."""
    return Entry(
        id=str(summary["run"]), label=label, status=status,
        method=str((spec.get("extrapolate") or {}).get("name")),
        seeds=tuple(summary.get("seeds") or ()), settings=settings_of(spec), machine=machine,
        fingerprint=str((summary.get("data") or {}).get("fingerprint")),
        about=dict(summary.get("data") or {}), points=tuple(_points(summary)),
    )  # fmt: skip


def rate_text(rate: float) -> str:
    """A rate to four decimals, by which rates are told apart."""
    return f"{rate:.4f}".rstrip("0").rstrip(".")


def short_labels(ids: Sequence[str]) -> list[str]:
    """The four characters of every id, whole ids where those do not tell them apart."""
    short = [i[:_CODE] for i in ids]
    return short if len(set(short)) == len(short) else list(ids)


def settings_of(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted keys of a spec, without name, tracking and what changes no result."""
    plain = _flat({k: v for k, v in spec.items() if k not in _OWN})
    return {k: v for k, v in plain.items() if k not in _HOUSEKEEPING}


def machine_of(run: Run) -> dict[str, str]:
    """Host, device, threads, precision and torch of the first worker; empty without a journal."""
    tail = Tail(run.journal)
    while records := tail.poll(max_bytes=1 << 16):
        for record in records:
            event = record.event
            if isinstance(event, ev.RunStarted):
                about = {
                    "host": event.host, "device": event.device, "threads": str(event.threads),
                    "precision": event.precision, "torch": event.versions.get("torch", ""),
                }  # fmt: skip
                return about
    return {}


def _flat(mapping: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in mapping.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def _points(summary: Mapping[str, Any]) -> list[Point]:
    cost = summary.get("cost") or {}
    rows = {(r["method"], r["policy"], r["rate"]): r for r in cost.get("by_rate") or ()}
    values: dict[tuple[str, str | None, float, str], dict[int, float]] = defaultdict(dict)
    luck: dict[tuple[str, str | None, float], list[Any]] = defaultdict(list)
    for trial in summary.get("trials") or ():
        where = (trial["method"], trial["policy"], trial["rate"])
        luck[where].append((trial["seed"], trial["seconds"], trial["steps"], trial["n_kept"]))
        for metric, value in (trial.get("metrics") or {}).items():
            if value is not None:
                values[*where, metric][trial["seed"]] = value
    full = _full_passes(summary)
    found = []
    for (method, policy, rate, metric), by_seed in values.items():
        where = (method, policy, rate)
        row = rows.get(where) or {}
        found.append(
            Point(
                method, policy, rate, metric, by_seed, tuple(luck[where]),
                row.get("loop_seconds"), _loop_passes(row, full), row.get("saving"),
                row.get("saving_passes"),
            )
        )  # fmt: skip
    return found


def _loop_passes(row: Mapping[str, Any], full: float | None) -> float | None:
    given = row.get("loop_passes")
    if given is not None:
        return float(given)
    share = row.get("saving_passes")
    return None if share is None or full is None else (1 - float(share)) * full


def _full_passes(summary: Mapping[str, Any]) -> float | None:
    """Passes of a full training; summaries of the first version do not have a loop's passes."""
    for trial in summary.get("trials") or ():
        if trial["method"] == "full" and trial["sample_passes"] is not None:
            return float(trial["sample_passes"])
    return None
