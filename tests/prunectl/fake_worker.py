"""A worker that computes nothing: it writes the journal, state and summary a real one would.

Started as ``fake_worker.py RUN_DIR SCENARIO``; stops on SIGTERM as a real one does. Scenarios: ok,
bad_input (refused before any task), queued, and in the scoring task: crash, diverged, endless.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

from run_samples import PLAN, summary

from core import events as ev
from core.files import write_json
from core.journal import Journal
from core.locks import hostname, process_start
from core.runs import Run, State
from core.spec_load import parse_spec, read_yaml

TRIAL = "s0-knn-top_k-r0.5000"


class Fake:
    """One run's worker."""

    def __init__(self, folder: Path, scenario: str) -> None:
        self.run, self.scenario, self.stopping = Run(folder), scenario, False
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "stopping", True))
        self.state = State(
            "queued", None, os.getpid(), process_start(os.getpid()), hostname(), time.time()
        )
        self.run.write_state(self.state)
        self.journal = Journal(self.run.journal)

    def work(self) -> int:
        """Act the scenario; the exit code."""
        if self.scenario == "bad_input":
            self.journal.append(ev.Message("error", "the data are bad; mend them"))
            return self.end("failed", "bad_input", 2)
        if self.scenario == "queued":
            self.run.write_state(replace(self.state, behind="aaaa-other"))
            return self.until_stopped()
        spec = parse_spec(read_yaml(self.run.spec_file)).to_dict()
        self.journal.append(ev.RunStarted(self.run.id, spec, hostname(), "cpu", 2, {"python": "3"}))
        self.journal.append(ev.Plan(PLAN))
        self.run.write_state(replace(self.state, status="running"))
        for plain in PLAN:
            task = str(plain["task"])
            self.journal.append(ev.TaskStarted(task, str(plain["stage"]), 0, None))
            if plain["stage"] == "score" and self.scenario != "ok":
                return self.trouble(task)
            self.journal.append(ev.TaskFinished(task, f"{task}-key", False, {"seconds": 1.0}))
        self.journal.append(ev.TrialFinished(TRIAL, {"test_accuracy": 0.9}))
        return self.end("finished", None, 0)

    def trouble(self, task: str) -> int:
        """What goes wrong in the middle of the scoring task."""
        self.journal.append(ev.Progress(task, 6, 12, "steps"))
        self.journal.append(ev.Points(task, "train/loss", [6], [6.0], [0.5]))
        if self.scenario == "crash":
            os._exit(7)
        if self.scenario == "endless":
            return self.until_stopped()
        self.journal.append(ev.TaskFailed(task, "diverged", "the loss is NaN", "lower the rate"))
        self.journal.append(ev.Message("error", "the loss is NaN; lower the rate"))
        return self.end("failed", "diverged", 1)

    def until_stopped(self) -> int:
        """Wait for SIGTERM."""
        while not self.stopping:
            time.sleep(0.02)
        return self.end("stopped", "stopped", 143)

    def end(self, status: str, reason: str | None, code: int) -> int:
        """The last words."""
        if status != "failed":
            write_json(self.run.summary_file, summary(self.run.id, status))
        self.journal.append(ev.RunFinished(status, reason))
        self.run.write_state(replace(self.state, status=status, reason=reason))
        return code


if __name__ == "__main__":
    sys.exit(Fake(Path(sys.argv[1]), sys.argv[2]).work())
