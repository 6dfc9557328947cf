"""What tracking costs the training process, and the shipper: ``python -m benchmarks.tracking``.

Three workers take turns on the same spec, nothing reused, each in a process of its own: ``bare``
writes no journal and is not tracked, ``journal`` is an untracked run, ``tracked`` is sent to a
fresh SQLite store while it trains. Compared is the processor time (user and system) of the
training process. A busy machine changes even that by far more than the limit, so the number that
counts is taken inside the tracked process: the processor time of every call that writes the journal
or starts tracking, against all the rest of the process. The shipper's own processor time and peak
memory are read when the run is on the server. Then one shipper sends a long journal, for points a
second, to a SQLite store and to ``mlflow server`` over HTTP.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any
from urllib.request import urlopen

from benchmarks.conditions import Others, machine, wait_for_quiet
from core import events as ev
from core.facts import DataFacts
from core.files import write_json
from core.journal import Journal
from core.locks import holder
from core.plan.build import build_graph
from core.runs import Run, State, create_run
from core.sinks import target
from core.sinks.ui import command
from core.spec_load import parse_spec, read_yaml
from core.spec_set import override

RESULT = Path(__file__).parent / "results" / "tracking.md"
LIMIT = 0.01
PRESET = Path(__file__).parent.parent / "presets" / "quickstart.yaml"
MODES = ("bare", "journal", "tracked")
_PLAIN = ["-m", "core.worker"]
_BARE = """
import sys
from core.journal import Journal
Journal.append = lambda self, event, *, durable=False: None
from core.worker import main
sys.exit(main(sys.argv[1:]))
"""
_METERED = """
import json, sys, time
from core.journal import Journal
from core.sinks import start
spent = {"journal": 0.0, "start": 0.0, "calls": 0}
def metered(name, call):
    def wrapped(*args, **named):
        began = time.thread_time()
        try:
            return call(*args, **named)
        finally:
            spent[name] += time.thread_time() - began
            spent["calls"] += 1
    return wrapped
Journal.append = metered("journal", Journal.append)
start.track = metered("start", start.track)
from core.worker import main
code = main(sys.argv[1:])
print("SPENT" + json.dumps(spent))
sys.exit(code)
"""
_SPEC = [
    "compute.threads=1", "seeds=[0]", "baselines=[random, full]", "reference=none",
    "train.evaluate=1ep", "retrain.evaluate=1ep",
]  # fmt: skip


@dataclass
class Turn:
    """One worker: processor and wall-clock seconds, what others took, and its shipper's cost."""

    mode: str
    cpu: float
    wall: float
    others: float
    spent: dict[str, float] = field(default_factory=dict)
    shipper: dict[str, float] = field(default_factory=dict)


def turn(mode: str, epochs: int, data: Path) -> Turn:
    """One run to its end."""
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder)
        assign = [*_SPEC, f"train.epochs={epochs}ep", f"retrain.epochs={epochs}ep"]
        assign += [f"tracking.enabled={'true' if mode == 'tracked' else 'false'}"]
        run = create_run(runs, parse_spec(override(read_yaml(PRESET), assign)))
        start = {"bare": ["-c", _BARE], "tracked": ["-c", _METERED]}.get(mode, _PLAIN)
        wait_for_quiet(60)
        env = {**os.environ, "PRUNECTL_DATA": str(data), "OMP_NUM_THREADS": "1"}
        env |= {"XDG_RUNTIME_DIR": str(data)}
        with Others() as others, open(runs / "log", "wb") as log:
            began = time.perf_counter()
            worker = subprocess.Popen(
                [sys.executable, "-P", *start, str(run.path)], env=env, stdout=log, stderr=log
            )
            _, status, usage = os.wait4(worker.pid, 0)
            wall = time.perf_counter() - began
        if status:
            raise RuntimeError((runs / "log").read_text())
        done = Turn(mode, usage.ru_utime + usage.ru_stime, wall, others.share)
        if mode == "tracked":
            last = (runs / "log").read_text().rpartition("SPENT")[2]
            done.spent = json.loads(last)
            done.shipper = shipper_cost(run)
        return done


def shipper_cost(run: Run) -> dict[str, float]:
    """Seconds until the server has all, processor seconds, peak memory in bytes; ends it."""
    pid = int(holder(target.lock_file(run.path.parent))["pid"])
    began = time.perf_counter()
    while not target.sending(run).complete:
        time.sleep(0.05)
    late = time.perf_counter() - began
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    peak = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    os.kill(pid, signal.SIGTERM)
    while Path(f"/proc/{pid}").exists():
        time.sleep(0.05)
    return {"late": late, "cpu": ticks / os.sysconf("SC_CLK_TCK"), "peak": peak}


def long_journal(runs: Path, uri: str | None, epochs: int) -> tuple[Run, int]:
    """A finished run of many trials with three curves each, and the count of its curve points."""
    rates = [round(0.02 * i, 2) for i in range(1, 41)]
    assign = [*_SPEC, f"prune.rates={rates}", f"tracking.uri={uri or 'null'}"]
    spec = parse_spec(override(read_yaml(PRESET), assign))
    run = create_run(runs, spec)
    target.note_target(run, spec.tracking)
    tasks = build_graph([(spec, DataFacts(1258, 539, 10, "ab" * 32))]).tasks
    journal, points = Journal(run.journal), 0
    journal.append(ev.RunStarted(run.id, spec.to_dict(), "here", "cpu", 1, {}))
    journal.append(ev.Plan([task.to_dict() for task in tasks]))
    steps = list(range(1, epochs + 1))
    for task in tasks:
        if task.stage in ("score", "retrain"):
            for series in ("train/loss", "train/accuracy", "test/accuracy"):
                values = [1.0 / step for step in steps]
                journal.append(ev.Points(task.id, series, steps, list(map(float, steps)), values))
                points += epochs
        cost = {"seconds": 1.0, "sample_passes": 1}
        journal.append(ev.TaskFinished(task.id, "key", False, cost))
        if task.stage == "retrain" and task.trial:
            journal.append(ev.TrialFinished(task.trial.id, {"test_accuracy": 0.5}))
    journal.append(ev.RunFinished("finished"))
    journal.close()
    run.write_state(State("finished"))
    write_json(run.summary_file, {"schema": 1, "status": "stopped"})
    return run, points


def throughput(uri: str | None, epochs: int) -> tuple[int, float]:
    """Points, and the seconds in which one shipper process sends them, from its start on."""
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder)
        run, points = long_journal(runs, uri, epochs)
        began = time.perf_counter()
        code = target.start_shipper(runs, "--once").wait()
        seconds = time.perf_counter() - began
        if code or not target.sending(run).complete:
            raise RuntimeError((target.folder(runs) / "shipper.log").read_text())
        return points, seconds


def over_http(epochs: int) -> tuple[int, float]:
    """The same to a real server on loopback."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
        probe.close()
        place = Path(folder)
        line = command(place / "server.db", (place / "artifacts").as_uri(), port)
        env = {**os.environ, **target.mlflow_environment()}
        with open(place / "log", "wb") as log:
            server = subprocess.Popen(
                line, env=env, stdout=log, stderr=log, start_new_session=True, cwd=place
            )
        try:
            until_it_answers(port)
            return throughput(f"http://127.0.0.1:{port}", epochs)
        finally:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def until_it_answers(port: int) -> None:
    """Wait for the server, at most two minutes."""
    end = time.monotonic() + 120
    while True:
        try:
            urlopen(f"http://127.0.0.1:{port}/health", timeout=2).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def more(turns: list[Turn], mode: str) -> float:
    """Median over the rounds of how much more processor time a mode took than ``bare``."""
    of = {m: [t.cpu for t in turns if t.mode == m] for m in MODES}
    return median(b / a - 1 for a, b in zip(of["bare"], of[mode], strict=True))


def spread(turns: list[Turn]) -> float:
    """How far the rounds of one and the same worker are apart, the worst of the three."""
    of = [[t.cpu for t in turns if t.mode == m] for m in MODES]
    return max(max(cpu) / min(cpu) - 1 for cpu in of)


def share(turns: list[Turn]) -> float:
    """Median share of journal and start of tracking, against the rest of the process."""
    inside = [(t.spent["journal"] + t.spent["start"], t.cpu) for t in turns if t.spent]
    return median(spent / (cpu - spent) for spent, cpu in inside)


def report(turns: list[Turn], sent: dict[str, tuple[int, float]]) -> str:
    """The tables as Markdown."""
    extra = share(turns)
    verdict = "holds" if extra <= LIMIT else "misses it"
    metered = [t for t in turns if t.spent]
    journal, begun = (median(t.spent[k] for t in metered) for k in ("journal", "start"))
    calls = f"The journal took {journal:.3f} s and the start of tracking {begun:.3f} s of a run"
    events = median(t.spent["calls"] - 1 for t in metered)
    costs = [t.shipper for t in turns if t.shipper]
    middle: dict[str, float] = {k: median(c[k] for c in costs) for k in costs[0]}
    lines = [
        "# What tracking costs", "",
        f"`python -m benchmarks.tracking`, {machine('torch', 'mlflow', threads=1)}.", "",
        f"**Journal and tracking add {extra:+.2%} to the processor time of the training process "
        f"(measured inside it, median of {len(costs)} runs); limit {LIMIT:+.0%}: {verdict}.** "
        f"{calls} in which {events:,.0f} events were written.", "",
        f"Whole processes against `bare`, medians over the rounds: journal "
        f"{more(turns, 'journal'):+.1%}, tracked {more(turns, 'tracked'):+.1%}; rounds of the same "
        f"worker differ by up to {spread(turns):.1%}, so less than that cannot be told.", "",
        "| round | worker | processor s | wall s | others |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for index, one in enumerate(turns):
        row = (index // len(MODES) + 1, one.mode, f"{one.cpu:.2f}", f"{one.wall:.1f}")
        lines.append(f"| {' | '.join(map(str, row))} | {one.others:.1%} |")
    lines += [
        "", f"The shipper, beside one run: {middle['cpu']:.1f} s of processor time in all (most of "
        f"it importing MLflow and making the store), peak memory {middle['peak'] / 1e6:.0f} MB, "
        f"everything on the server {middle['late']:.1f} s after the worker ended.", "",
        "| to | points | s, start of the process included | points a second |", "|---|---|---|---|",
    ]  # fmt: skip
    for name, (points, seconds) in sent.items():
        lines.append(f"| {name} | {points:,} | {seconds:.1f} | {points / seconds:,.0f} |")
    lines += ["", "`others`: share of all cores that processes other than the benchmark and its "
              "workers took, the shipper of a tracked run included.", ""]  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    """Measure, print, write down; exit 1 when the limit is broken."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=170, help="of each training of a run")
    parser.add_argument("--points", type=int, default=400, help="epochs of the long journal")
    options = parser.parse_args()
    turns: list[Turn] = []
    with tempfile.TemporaryDirectory() as folder:
        turn("journal", 8, Path(folder))  # prepares the data, warms the caches
        for _ in range(options.rounds):
            for mode in MODES:
                turns.append(turn(mode, options.epochs, Path(folder)))
                print(turns[-1], flush=True)
    sent: dict[str, Any] = {
        "SQLite": throughput(None, options.points),
        "HTTP server": over_http(options.points),
    }
    table = report(turns, sent)
    print(table)
    RESULT.write_text(table)
    sys.exit(share(turns) > LIMIT)


if __name__ == "__main__":
    main()
