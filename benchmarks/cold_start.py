"""``prunectl --help`` against a bare Typer app: ``python -m benchmarks.cold_start``.

Whole processes, from exec to exit, output to a pipe. The bare app has as many commands, visible and
hidden, each with two options. One round runs every side once, so that a busy machine slows all of
them; seconds are medians, ratios medians of the ratios. The naive side imports the modules of the
commands at the top, as a command line usually does, and must fail the limit.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from typer.main import get_command

from benchmarks.conditions import Others, machine, wait_for_quiet
from prunectl.cli.main import app

LIMIT = 1.5
RESULT = Path(__file__).parent / "results" / "cold_start.md"
_TOP = Path(__file__).resolve().parent.parent

BARE = """
from typing import Annotated
import typer
app = typer.Typer()
def make(name, hidden):
    @app.command(name, hidden=hidden, help="A command.")
    def command(
        first: Annotated[str, typer.Option(help="An option.")] = "",
        second: Annotated[bool, typer.Option(help="Another.")] = False,
    ) -> None:
        print(first, second)
for index in range({visible}):
    make(f"command{{index}}", False)
for index in range({hidden}):
    make(f"hidden{{index}}", True)
app()
"""
OURS = "from prunectl.cli.main import main\nmain()\n"
NAIVE = (
    "import prunectl.cli.control, prunectl.cli.doctor, prunectl.cli.listing, prunectl.cli.run\n"
    + OURS
)


def seconds(script: Path) -> float:
    """One whole process."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-P", str(script), "--help"], check=True, stdout=subprocess.PIPE,
        env={"PYTHONPATH": str(_TOP), "PATH": "", "TERM": "dumb"},
    )  # fmt: skip
    return time.perf_counter() - start


def measure(rounds: int) -> dict[str, list[float]]:
    """Seconds of every side in every round, after one round that fills the caches."""
    program: Any = get_command(app)
    hidden = sum(command.hidden for command in program.commands.values())
    visible = len(program.commands) - hidden
    sides = {"bare": BARE.format(visible=visible, hidden=hidden), "prunectl": OURS, "naive": NAIVE}
    with tempfile.TemporaryDirectory() as folder:
        scripts = {name: Path(folder) / f"{name}.py" for name in sides}
        for name, text in sides.items():
            scripts[name].write_text(text)
            seconds(scripts[name])
        found: dict[str, list[float]] = {name: [] for name in sides}
        for _ in range(rounds):
            for name, script in scripts.items():
                found[name].append(seconds(script))
        return found


def report(found: dict[str, list[float]], others: Others) -> str:
    """The result as Markdown."""
    count, rounds = len(app.registered_commands), len(found["bare"])
    lines = [
        "# Cold start of the command line", "",
        f"`python -m benchmarks.cold_start`: `--help` as a whole process, {count} commands, "
        f"{rounds} rounds, {others}. {machine('typer', 'rich')}.", "",
        "| side | seconds: median (range) | bare Typer, seconds | ratio | limit | |",
        "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for name, label in (("prunectl", "prunectl --help"), ("naive", "naive: commands imported")):
        own, bare = found[name], found["bare"]
        ratio = median(a / b for a, b in zip(own, bare, strict=True))
        verdict = "holds" if ratio <= LIMIT else "fails"
        lines.append(
            f"| {label} | {_spread(own)} | {_spread(bare)} | {ratio:.2f} | {LIMIT} | {verdict} |"
        )
    return "\n".join([*lines, "", "The naive side must fail: else the limit would catch nothing."])


def _spread(values: list[float]) -> str:
    return f"{median(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def main() -> None:
    """Measure, print, write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    wait_for_quiet()
    with Others() as others:
        found = measure(rounds)
    text = report(found, others)
    print(text)
    RESULT.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
