"""What ``benchmarks.training`` makes of its measurements: limits, verdicts, tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

import numpy as np

RATIO, BOTH_MS, RECORDER_MS = 1.10, 8.0, 0.25
"""The last is this benchmark's own: it makes one ``.item()`` a sample fail on a CPU too, where
they cost under 1 ms a batch (on a GPU each of them waits for the device)."""

Seconds = dict[str, list[float]]


@dataclass(frozen=True)
class Figures:
    """One model's measurements: milliseconds a step per round, and of the parts alone."""

    model: str
    steps: int
    ms: Seconds
    parts: dict[str, float]
    noise: str

    def ratio(self, side: str) -> float:
        return float(np.median(np.divide(self.ms[side], self.ms["bare"])))

    def above(self, side: str) -> float:
        return float(np.median(np.subtract(self.ms[side], self.ms["bare"])))


@dataclass(frozen=True)
class Row:
    """One line of the result; a naive side must break the limit, the others must keep it."""

    text: str
    value: float
    limit: float
    unit: str
    naive: bool = False

    @property
    def as_it_should(self) -> bool:
        return (self.value > self.limit) == self.naive

    def __str__(self) -> str:
        verdict = "fails" if self.value > self.limit else "holds"
        return (
            f"| {self.text} | {self.value:.2f}{self.unit} | {self.limit}{self.unit} | {verdict} |"
        )


def rows(convnet: Figures, linear: Figures) -> list[Row]:
    """Every number that has a limit."""
    part, naive = linear.parts, "naive, linear:"
    alone = part["loader"] + part["recorder"]
    naive_alone = part["naive loader"] + part["naive recorder"]
    return [
        Row("convnet: loop / bare steps", convnet.ratio("core"), RATIO, ""),
        Row("naive, convnet: PIL augmentation / bare", convnet.ratio("pil"), RATIO, "", True),
        Row("naive, convnet: PIL and `.item()` / bare", convnet.ratio("both"), RATIO, "", True),
        Row("linear: loop - bare, all it adds", linear.above("core"), BOTH_MS, " ms"),
        Row("linear: loader, augmentation, recorder alone", alone, BOTH_MS, " ms"),
        Row(f"{naive} PIL augmentation - bare", linear.above("pil"), BOTH_MS, " ms", True),
        Row(f"{naive} PIL and `.item()` - bare", linear.above("both"), BOTH_MS, " ms", True),
        Row(f"{naive} PIL and `.item()` alone", naive_alone, BOTH_MS, " ms", True),
        Row("recorder alone", part["recorder"], RECORDER_MS, " ms"),
        Row("naive: `.item()` recording alone", part["naive recorder"], RECORDER_MS, " ms", True),
    ]


def report(convnet: Figures, linear: Figures, setting: str) -> str:
    """The tables as Markdown."""
    names = {
        "bare": "bare steps",
        "core": "the loop: crop, flip, recorder, curve, checkpoints",
        "pil": "naive: bare steps, PIL augmentation",
        "item": "naive: bare steps, `.item()` recording",
        "both": "naive: bare steps, both",
    }
    return "\n".join(
        [
            "# Training: the loop against bare steps",
            "",
            setting,
            "",
            "| number | measured | limit | |",
            "|---|---|---|---|",
            *map(str, rows(convnet, linear)),
            "",
            "Seconds of one round and milliseconds of a step: median (range over the rounds); "
            "ratio and difference within a round, median:",
            "",
            *(line for figures in (convnet, linear) for line in _sides(figures, names)),
            "What the loop adds, each part alone, milliseconds a step: "
            + ", ".join(f"{name} {ms:.2f}" for name, ms in linear.parts.items())
            + ". The limit of the recorder alone is this benchmark's own: `.item()` costs little "
            "on a CPU, where nothing has to be waited for; the larger limits do not notice it.",
            "",
            f"Noise: convnet, {convnet.noise}; linear, {linear.noise}.",
            "",
        ]
    )


def _sides(figures: Figures, names: dict[str, str]) -> Iterator[str]:
    yield f"| {figures.model} | seconds | ms a step | x bare | ms above bare |"
    yield "|---|---|---|---|---|"
    for side, name in names.items():
        ms = figures.ms[side]
        yield (
            f"| {name} | {figures.steps * median(ms) / 1e3:.3f} | "
            f"{median(ms):.2f} ({min(ms):.2f} to {max(ms):.2f}) | "
            f"{figures.ratio(side):.3f} | {figures.above(side):.2f} |"
        )
    yield ""
