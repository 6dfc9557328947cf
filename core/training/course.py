"""How far a training has come: counted in steps, or in the seconds it may take."""

from __future__ import annotations

from core.training.meter import Stopwatch

_WAIT_EVERY = 10
"""Steps between two looks at the clock that wait for the device, whose queue runs behind."""


class Course:
    """A training of ``total`` steps."""

    def __init__(self, total: int) -> None:
        self.total = total

    def place(self, step: int) -> int:
        """The step the schedule is at, below ``total``, before step ``step`` (from 0)."""
        return step

    def share(self, step: int) -> float:
        """The share that is done after ``step`` steps, 0..1."""
        return step / self.total

    def over(self, step: int) -> bool:
        """Whether the training ends after ``step`` steps."""
        return step >= self.total


class TimedCourse(Course):
    """A training of ``seconds`` on the training clock; ``total`` is about how many steps that is.

    The schedule is driven by the share of the seconds that has passed. At least one step is made,
    and the last one begins before the time is up.
    """

    def __init__(self, total: int, seconds: float, watch: Stopwatch) -> None:
        super().__init__(total)
        self._seconds, self._watch = seconds, watch

    def place(self, step: int) -> int:
        """The step of ``total`` that stands for the share of the time that has passed."""
        return min(int(self.share(step) * self.total), self.total - 1)

    def share(self, step: int) -> float:
        """The share of the time that has passed."""
        return min(1.0, self._watch.elapsed() / self._seconds)

    def over(self, step: int) -> bool:
        """Whether the time is up."""
        return self._watch.elapsed(wait=step % _WAIT_EVERY == 0) >= self._seconds
