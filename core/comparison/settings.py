"""Only the settings that differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.comparison.entries import Entry

ABSENT = "(not set)"


def differing(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """``{key, values}`` of every setting with more than one value, values in the entries' order.

    A key that another plug-in does not have is :data:`ABSENT` there. What the run found out (data
    fingerprint, device, host) comes last.
    """
    keys = dict.fromkeys(key for e in entries for key in e.settings)
    rows = [{"key": k, "values": [e.settings.get(k, ABSENT) for e in entries]} for k in keys]
    rows.append({"key": "fingerprint", "values": [e.fingerprint[:12] for e in entries]})
    machine = dict.fromkeys(key for e in entries for key in e.machine)
    rows += [{"key": k, "values": [e.machine.get(k, "unknown") for e in entries]} for k in machine]
    return [row for row in rows if any(v != row["values"][0] for v in row["values"])]


def same_machine(entries: Sequence[Entry]) -> bool:
    """Whether seconds of these runs can be compared: one host, device and number of threads."""
    told = [{k: e.machine.get(k) for k in ("host", "device", "threads")} for e in entries]
    return all(one == told[0] for one in told)
