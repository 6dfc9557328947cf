"""How well scores are extrapolated, method by method: ``python -m benchmarks.quality``.

Suites of data with known difficulty, four scores out of one scoring run, nested subsets of 10% and
20%, and one common set of unseen ids (outside the 40% subset, which the doubled budget uses). Every
method sees the same scoring runs, those of the preset ``quality``; truth is a scoring run on all
data by the train recipe. Goes on where it was interrupted; ``--n``, ``--seeds``, ``--suites``,
``--set`` try it on less.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path

from benchmarks import quality_downstream as downstream
from benchmarks import quality_rows as quality
from benchmarks.quality_cells import SUITES, Setup, collect
from benchmarks.quality_report import report
from benchmarks.quality_rows import Row

RESULT = Path(__file__).parent / "results" / "quality.md"
STEPS = ("runs", "rows", "retrain")


def main() -> None:
    """Make what is missing, write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("quality"), help="store, runs and rows")
    parser.add_argument("--n", type=int, default=None, help="samples of a generated suite")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--suites", nargs="*", default=SUITES, choices=SUITES)
    parser.add_argument("--set", action="append", default=[], help="section.key=value")
    parser.add_argument("--methods", nargs="*", default=None, help="only rows of these")
    parser.add_argument(
        "--steps", nargs="*", default=STEPS, choices=STEPS, help="runs: the nets all rows need"
    )
    options = parser.parse_args()
    setup = Setup(
        options.work, tuple(options.seeds), tuple(options.suites), options.n, tuple(options.set)
    )
    options.work.mkdir(parents=True, exist_ok=True)
    rows_file, trained_file = options.work / "rows.jsonl", options.work / "downstream.jsonl"
    if "runs" in options.steps:
        for made in collect(setup):
            print(made, flush=True)
    if "rows" in options.steps:
        _append(rows_file, quality.rows(setup, quality.read(rows_file), options.methods))
    if "retrain" in options.steps:
        known = quality.read(trained_file)
        _append(trained_file, downstream.rows(setup, known, options.methods))
    table = report(setup, _within(setup, rows_file), _within(setup, trained_file))
    print(table)
    if (options.n, options.set, set(options.seeds)) == (None, [], {0, 1, 2}):
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(table, encoding="utf-8")


def _append(file: Path, groups: Iterable[list[Row]]) -> None:
    """A group in one write, so that an interrupted bench leaves whole ones."""
    for rows in groups:
        with file.open("a", encoding="utf-8") as out:
            out.write("".join(json.dumps(row) + "\n" for row in rows))


def _within(setup: Setup, file: Path) -> list[Row]:
    """The rows that belong to the setup."""
    return [
        r for r in quality.read(file) if r["seed"] in setup.seeds and r["suite"] in setup.suites
    ]


if __name__ == "__main__":
    main()
