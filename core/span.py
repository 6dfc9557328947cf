"""Which epochs a score reads: the options ``epoch`` and ``span``, the same words for every score.

``epoch`` is the first epoch that is read, counted from 0, or from the end where negative; ``span``
the number of epochs, 0 for all that follow. A score with these two options is shown no other epoch,
and passes that no score reads are not made, nor counted by the plan. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any, Protocol

from core.errors import UserError


class Span(Protocol):
    """Options of a score that say which epochs it reads."""

    @property
    def epoch(self) -> int: ...
    @property
    def span(self) -> int: ...


MOMENTS = 5
"""Epochs after which cross-fitted nets are watched."""


def moments(epochs: int, count: int = MOMENTS) -> tuple[int, ...]:
    """At most ``count`` epochs, counted from 0, spread evenly, the last of ``epochs`` included."""
    stops = {(i * epochs) // count for i in range(1, count + 1)}
    return tuple(stop - 1 for stop in sorted(stops) if stop)


MATCHED = 1
"""Raised whenever other epochs stand for a full run, so that scores are measured again."""


def matched(epochs: int, count: int, total: int) -> range:
    """The epochs of a training on ``count`` of ``total`` samples that stand for a training on all.

    Two things differ in a run on few samples. An epoch has fewer steps, so the net comes later to
    where a full run's net is in the middle of its first epoch: after (total / count - 1) / 2
    epochs, where reading starts. And each sample is repeated to a net that knows less from others,
    so it is learned by heart earlier, wrong labels above all (memorisation as in arXiv 2008.03703):
    epochs (1 - 0.45 (1 - count / total)) are read. The 0.45 was set on the development seed of
    ``benchmarks/quality.py``. Of a training on everything all epochs are read."""
    length = round(epochs * (1 - 0.45 * (1 - count / total)))
    start = min(ceil((total / count - 1) / 2), epochs - length)
    return range(start, start + length)


def chosen_by_validation(sections: Sequence[Mapping[str, Any]]) -> bool:
    """Whether validation chooses the last epoch of any of the resolved score sections."""
    return any(section.get("until") == "best_validation" for section in sections)


def reads_matched(section: Mapping[str, Any]) -> bool:
    """Whether a resolved score section is read in :func:`matched` epochs: it asks for them, and
    says no epochs of its own."""
    own = section.get("epoch") or section.get("span")
    return section.get("until") == "matched" and not own


def epochs_read(section: Mapping[str, Any], epochs: int, share: tuple[int, int] = (1, 1)) -> range:
    """Epochs that a resolved score section reads of a training of ``epochs`` whole epochs on
    ``share[0]`` of ``share[1]`` samples."""
    if reads_matched(section):
        return matched(epochs, *share)
    first, count = section.get("epoch") or 0, section.get("span") or 0
    start = max(0, first if first >= 0 else epochs + first)
    return range(min(start, epochs), min(start + count, epochs) if count else epochs)


def span_of(name: str, options: Span, epochs: int, least: int = 1) -> range:
    """The epochs that are read, at least ``least`` of them, or a UserError that says why not."""
    if options.span < 0:
        raise UserError(f"score.span of {name} is {options.span}", "give 0 (all) or more")
    start = options.epoch if options.epoch >= 0 else epochs + options.epoch
    stop = start + options.span if options.span else epochs
    if start < 0 or stop > epochs:
        raise UserError(
            f"score {name} reads {stop - start} epochs from epoch {options.epoch} on (counted from "
            f"0), the training has {epochs}",
            "train longer or set score.epoch and score.span lower",
        )
    if stop - start < least:
        raise UserError(
            f"score {name} needs at least {least} epochs and reads {max(0, stop - start)}",
            "train longer or raise score.span",
        )
    return range(start, stop)
