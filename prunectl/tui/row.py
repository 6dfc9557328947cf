"""One row of the list of runs, and the text of spec files as words to filter by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from core.runs import Run
from core.sweeps import Sweep


@dataclass(frozen=True)
class Row:
    """One run or sweep in the list of runs."""

    run: Run | Sweep
    created: float
    status: str
    reason: str = ""
    stage: str = ""
    share: float | None = None
    data: str = ""
    method: str = ""
    best: str = ""
    saving: float | None = None
    params: str = ""
    """The spec as ``key=value`` words, to filter by."""
    report: bool = False

    @property
    def live(self) -> bool:
        """Whether it is being worked on."""
        return self.status in ("running", "queued")


def flat_yaml(text: str) -> Iterable[tuple[str, str]]:
    """``section.key``, value of the block mappings of a spec as this program writes it. Only for
    lists of runs: five hundred of them are not worth a YAML parser each."""
    path: list[tuple[int, str]] = []
    for line in text.splitlines():
        key, colon, value = line.strip().partition(":")
        if not colon or line.lstrip().startswith(("#", "-")):
            continue
        indent = len(line) - len(line.lstrip())
        while path and path[-1][0] >= indent:
            path.pop()
        path.append((indent, key))
        if value.strip():
            yield ".".join(name for _, name in path), value.strip()
