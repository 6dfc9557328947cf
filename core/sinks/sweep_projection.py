"""What MLflow should show of a sweep, from its journal alone: one parent, and as its children the
distinct retrainings and scoring runs of all cells. A child that several cells share is one run,
with the cells in a tag; what the cells do not agree on is none of its params."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from core import events as ev
from core.journal import Record
from core.sinks import names
from core.sinks.conclusion import NOTE, conclude, note
from core.sinks.nodes import PARENT, Node
from core.sinks.params import own_method, united
from core.sinks.projection import Projection, environment
from core.spec_load import parse_spec
from core.spec_set import assigned

Summaries = Mapping[str, Mapping[str, Any]]


class SweepProjection(Projection):
    """Takes the records of a sweep's journal in order."""

    def __init__(self) -> None:
        super().__init__()
        self._base: Mapping[str, Any] = {}
        self._settings: dict[str, Mapping[str, Any]] = {}

    def feed(self, records: Iterable[Record]) -> None:
        """Take in records."""
        for record in records:
            if isinstance(record.event, ev.SweepStarted):
                self.last_ms = round(record.ts * 1000)
                self._started(record.event, self.last_ms)
            elif isinstance(record.event, ev.CellFinished):
                self._cell_ended(record.event)
            else:
                super().feed([record])

    def conclude_cells(
        self, summaries: Summaries, kept_digest: Callable[[str, str], str | None]
    ) -> None:
        """Add what the cells' summaries know, as :meth:`conclude` does of a run's. ``kept_digest``
        gives the SHA-256 of a file by cell and path."""
        for cell, summary in summaries.items():
            nodes = self._nodes_of(cell)
            conclude(
                nodes, self._spec(cell), summary, self.last_ms,
                partial(kept_digest, cell),
            )  # fmt: skip
            for node in nodes.values():
                node.fresh = True
        parent = self.parent
        if parent is not None and self.ending is not None:
            self._conclude_parent(parent, summaries)

    def cell_of(self, node: Node) -> str:
        """The first cell a child belongs to: its files are there."""
        return self._cells_of(node.tags["task"])[0]

    def _started(self, event: ev.SweepStarted, ms: int) -> None:
        self.ending = None
        self._base = event.definition.get("base") or {}
        self._settings = {str(c["id"]): c.get("settings") or {} for c in event.cells}
        if self.parent is None:
            tags = {"kind": "sweep", "sweep": event.sweep}
            self.nodes[PARENT] = Node(PARENT, event.sweep, ms, self._of_all(event), tags)
        slots = {str(slot.get("device")): slot for slot in event.slots}
        threads = {str(slot.get("threads")) for slot in event.slots}
        about = {"host": event.host, "device": ", ".join(slots), "threads": ", ".join(threads)}
        self._go_on({**about, **environment(event.versions)})

    def _of_all(self, event: ev.SweepStarted) -> dict[str, str]:
        """The spec that the cells share, and the axes as lists."""
        first = next(iter(self._settings), "")
        axes = event.definition.get("axes") or {}
        params = names.flat({**self._spec(first), "tracking": {}})
        return params | {names.key(k): _text(v) for k, v in axes.items()}

    def _cell_ended(self, event: ev.CellFinished) -> None:
        parent = self.parent
        if parent is None:
            return
        tag = names.key(f"cell.{event.cell}")
        if event.status == "finished":
            parent.tags.pop(tag, None)
        else:
            parent.tags[tag] = names.text_of(f"{event.reason}: {event.what}", names.MAX_TAG)
        parent.fresh = True

    def _spec(self, cell: str) -> Mapping[str, Any]:
        if cell not in self._specs:
            plain = assigned(self._base, self._settings.get(cell, {}))
            self._specs[cell] = parse_spec(plain, cell).to_dict()
        return self._specs[cell]

    def _new_child(self, task: str, ms: int) -> Node | None:
        node = super()._new_child(task, ms)
        if node is not None:
            cells = self._cells_of(task)
            settings = [_flat(self._settings.get(cell, {})) for cell in cells]
            node.params |= {k: v for k, v in united(settings).items() if k not in node.params}
            node.tags["cells"] = names.text_of(" ".join(cells), names.MAX_TAG)
        return node

    def _nodes_of(self, cell: str) -> dict[str, Node]:
        """The children of a cell, retrainings by trial."""
        found = {}
        for node in self.nodes.values():
            if node.id != PARENT and cell in self._cells_of(node.tags["task"]):
                found[node.tags.get("trial", node.id)] = node
        return found

    def _conclude_parent(self, parent: Node, summaries: Summaries) -> None:
        rows = [
            line
            for cell, summary in summaries.items()
            for line in note(_own(summary, own_method(self._spec(cell))), cell).splitlines()[2:]
        ]
        if rows:
            first = next(iter(summaries.values()))
            head = note(first, "").splitlines()[:2]
            parent.tags[NOTE] = names.text_of("\n".join([*head, *rows]), names.MAX_TAG)
        if self.ending is None or self.ending.status != "finished":
            return  # a resumed sweep would have other numbers
        parent.tell("cells/finished", float(len(summaries)), self.last_ms)
        savings = [s for c, summary in summaries.items() for s in self._savings(c, summary)]
        if savings:
            parent.tell("saving", max(savings), self.last_ms)
        parent.fresh = True

    def _savings(self, cell: str, summary: Mapping[str, Any]) -> Sequence[float]:
        """Savings of the cell's own method at its first listed rate."""
        spec = self._spec(cell)
        wanted = (own_method(spec), spec["prune"]["rates"][0])
        rows = (summary.get("cost") or {}).get("by_rate") or ()
        return [r["saving"] for r in rows if (r["method"], r["rate"]) == wanted and r["saving"]]


def _own(summary: Mapping[str, Any], method: str) -> dict[str, Any]:
    """The summary with the trade-off of one method only."""
    rows = [row for row in summary.get("tradeoff") or () if row["method"] == method]
    return {**summary, "tradeoff": rows}


def _flat(settings: Mapping[str, Any]) -> dict[str, str]:
    return {names.key(key): _text(value) for key, value in settings.items()}


def _text(value: Any) -> str:
    return names.text_of(value if isinstance(value, str) else json.dumps(value), names.MAX_PARAM)
