"""Recording every score at once: ``python -m benchmarks.all_scores``.

The same scoring run of ``convnet`` with and without a recorder of all trained scores, each as its
file says for the training forward; entropy and loss take one evaluation pass after the last epoch,
as published. The sides take turns in one process, ratios are taken within a round. A recorder that
copies every step's logits to the host sample by sample must miss the limit. Beside the ratio of
seconds, which a busy machine blurs, stands the share of its own processor time that the run spends
inside the recorder, evaluation passes and all.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.conditions import QUIET, Others, machine, wait_for_quiet
from core import registry
from core.data.bank import SampleBank
from core.models.build import build_net
from core.needs import score_kind
from core.paradigms.supervised import Supervised
from core.recipe import TrainSpec
from core.scores.base import Batch, TrainedScore
from core.spec import ModelSpec, ScoreSpec
from core.training import devices
from core.training.feed import Feed
from core.training.loop import train
from core.training.recorder import Recorded, Recorder

RESULT = Path(__file__).parent / "results" / "all_scores.md"
CLASSES, BATCH, EPOCHS, LIMIT = 10, 128, 12, 1.15


class SampleBySample(TrainedScore):
    """Naive: every sample's probabilities are taken off the device one by one."""

    direction = "high"

    def __init__(self) -> None:
        self.seen: dict[int, list[list[float]]] = {}

    @property
    def bytes_per_sample(self) -> int:
        return 0

    def observe(self, epoch: int, batch: Batch) -> None:
        for i in range(len(batch.ids)):
            row = [float(p.item()) for p in torch.softmax(batch.logits[i], 0)]
            self.seen.setdefault(int(batch.ids[i].item()), []).append(row)

    def end_epoch(self, epoch: int) -> None:
        pass

    def finalize(self) -> Tensor:
        return torch.zeros(len(self.seen))

    def state_dict(self) -> dict[str, Tensor]:
        return {}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        pass


def all_scores(m: int, compute: devices.Compute) -> dict[str, Recorded]:
    """Every trained score, over the epochs there are."""
    found = {}
    for name in registry.names("score"):
        if score_kind(name) != "trained":
            continue
        module: Any = registry.load("score", name)
        about = registry.describe("score", name)
        settings = dict(next(iter(module.PRESETS.values())))
        once = settings.get("epoch") == -1
        settings["record"] = "eval_pass" if once else "train_forward"
        if "span" in settings and not once:
            settings |= {"epoch": 0, "span": EPOCHS}
        own = {p.name: settings.get(p.name, p.default) for p in about.params}
        section = ScoreSpec.model_validate({"name": name, **settings, **own})
        made = module.make(m, CLASSES, EPOCHS, section, compute.device)
        found[name] = Recorded(made, str(section.record))
    return found


class Timed(Recorder):
    """Counts the processor time spent in it."""

    seconds = 0.0

    def observe_step(self, *given: Any) -> None:
        start = time.process_time()
        super().observe_step(*given)
        self.seconds += time.process_time() - start

    def end_epoch(self, *given: Any) -> None:
        start = time.process_time()
        super().end_epoch(*given)
        self.seconds += time.process_time() - start


def inside(bank: SampleBank, compute: devices.Compute) -> float:
    """Processor time of a run with all scores over that of the same run without its recorder."""
    made: list[Timed] = []
    start = time.process_time()
    run(bank, compute, all_scores(len(bank), compute), made)
    whole = time.process_time() - start
    return whole / (whole - made[0].seconds)


def run(
    bank: SampleBank,
    compute: devices.Compute,
    scores: dict[str, Recorded],
    made: list[Timed] | None = None,
) -> float:
    """Seconds of one scoring run; ``made`` is given its recorder."""
    recipe = TrainSpec.model_validate(
        {"epochs": f"{EPOCHS}ep", "batch": BATCH, "augment": ["crop:4", "flip"]}
    )
    ids = np.arange(len(bank), dtype=np.int64)
    net = build_net(ModelSpec(name="convnet"), bank, 0, "scoring")
    recorder = Timed(ids, len(bank), scores, compute.device) if scores else None
    if made is not None and recorder is not None:
        made.append(recorder)
    start = time.perf_counter()
    train(
        net, Supervised(), Feed(bank, compute), ids, recipe, seed=0, role="scoring",
        compute=compute, recorder=recorder,
    )  # fmt: skip
    if recorder is not None:
        recorder.finalize()
    return time.perf_counter() - start


def main() -> None:
    """Measure, print, write down; exit 1 when the limit is broken or the naive side keeps it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--samples", type=int, default=2560)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--patience", type=float, default=300, help="seconds to wait for quiet")
    options = parser.parse_args()
    compute = devices.Compute(torch.device("cpu"), "fp32", options.threads, True)
    devices.apply(compute)
    rng = np.random.default_rng(0)
    bank = SampleBank(
        inputs=rng.integers(0, 256, (options.samples, 32, 32, 3), dtype=np.uint8),
        targets=rng.integers(0, CLASSES, options.samples),
        classes=tuple(map(str, range(CLASSES))),
        mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25), fingerprint="made up",
    )  # fmt: skip
    wait_for_quiet(options.patience)
    run(bank, compute, {})  # warm-up
    plain, every, naive, shares = [], [], [], []
    for _ in range(options.rounds):
        with Others() as others:
            plain.append(run(bank, compute, {}))
            every.append(run(bank, compute, all_scores(options.samples, compute)))
            naive.append(run(bank, compute, {"naive": Recorded(SampleBySample(), "train_forward")}))
        shares.append(others.share)
    quiet = [i for i, share in enumerate(shares) if share <= QUIET] or list(range(len(shares)))
    ratio = median(every[i] / plain[i] for i in quiet)
    slow = median(naive[i] / plain[i] for i in quiet)
    processor = median(inside(bank, compute) for _ in range(3))
    names = ", ".join(all_scores(8, compute))
    text = "\n".join(
        [
            "# All scores at once",
            "",
            f"`python -m benchmarks.all_scores`: convnet, {options.samples:,} samples of 32x32x3, "
            f"{EPOCHS} epochs, batch {BATCH}, {len(quiet)} of {options.rounds} rounds, others took "
            f"at most {max(shares[i] for i in quiet):.1%}. "
            f"{machine('torch', threads=options.threads)}.",
            "",
            f"Recorded: {names}.",
            "",
            "| side | seconds | ratio | limit | |",
            "|---|---|---|---|---|",
            f"| plain scoring run | {median(plain[i] for i in quiet):.2f} | 1 | | |",
            f"| all scores | {median(every[i] for i in quiet):.2f} | {ratio:.3f} | {LIMIT} | "
            f"{'holds' if ratio <= LIMIT else 'fails'} |",
            f"| all scores, processor time in the recorder | - | {processor:.3f} | {LIMIT} | "
            f"{'holds' if processor <= LIMIT else 'fails'} |",
            f"| naive: one score, sample by sample | {median(naive[i] for i in quiet):.2f} | "
            f"{slow:.3f} | {LIMIT} | {'holds' if slow <= LIMIT else 'fails, as it must'} |",
            "",
        ]
    )
    print(text)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(text)
    sys.exit(ratio > LIMIT or processor > LIMIT or slow <= LIMIT)


if __name__ == "__main__":
    main()
