"""Where a sweep's jobs are computed: the interface, which a cluster can implement too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from core.slots import Job, LookJob, Report, ReportJob, Slot


class Executor(Protocol):
    """Takes jobs under a number, gives back what is said of them.

    A job ends with exactly one report of :data:`core.slots.ENDS`; what happens to the process that
    computes it never touches another job.
    """

    def ask(self, job: LookJob | ReportJob) -> Report:
        """Do this one job now, without a device, and wait for its end."""

    def open(self, slots: Sequence[Slot]) -> None:
        """Begin to take the slots; each is free once its device is."""

    def free(self) -> int:
        """How many jobs would be started at once."""

    def queued_behind(self) -> str | None:
        """Whom all slots wait for, None when there is one to work on."""

    def submit(self, number: int, job: Job) -> None:
        """Start a job on a free slot."""

    def poll(self, seconds: float) -> list[tuple[int, Report]]:
        """What was said since the last call, waiting at most so long for something."""

    def stop(self) -> None:
        """Ask all jobs to stop where they can go on later."""

    def kill(self, number: int) -> None:
        """End a job without asking; it is reported as lost."""

    def kill_all(self) -> None:
        """End everything without asking. May be called from a signal handler."""

    def close(self) -> None:
        """Give the slots back and leave nothing behind."""
