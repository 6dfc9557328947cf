"""Questions a front end asks a worker, because the answer needs torch or faiss.

A job is a JSON file; stdout gets JSON lines, the last of which is the result or the error.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from core.errors import PrunectlError, UserError, nearest
from core.files import read_json

_TELL_SECONDS = 0.1


def run_job(path: Path) -> int:
    """Answer the job in ``path``; the exit code."""
    job = read_json(path)
    try:
        if not isinstance(job, dict) or job.get("job") not in _JOBS:
            named = str(job.get("job")) if isinstance(job, dict) else str(path)
            raise UserError(f"no job is called '{named}'", nearest(named, _JOBS))
        _say({"type": "result", "value": _JOBS[job["job"]](job)})
        return 0
    except PrunectlError as error:
        _say(
            {
                "type": "error", "kind": error.kind, "what": error.what, "todo": error.todo,
                "exit_code": error.exit_code,
            }
        )  # fmt: skip
        return error.exit_code


def _estimate(job: Mapping[str, Any]) -> dict[str, Any]:
    from core.data.locations import default_cache_root
    from core.data.prepare import prepare_dataset
    from core.estimate import estimate
    from core.plan.build import build_graph
    from core.runs import store_folder
    from core.spec_load import parse_spec
    from core.stages.base import Context
    from core.stages.prune import refuse_impossible
    from core.store import Store
    from core.training import devices
    from core.work import facts_of

    spec = parse_spec(job["spec"])
    compute = devices.resolve(spec.compute)
    devices.apply(compute)
    dataset = prepare_dataset(spec.data, default_cache_root(), _progress)
    graph = build_graph([(spec, facts_of(dataset))])
    refuse_impossible(graph)
    store = Store(store_folder(Path(job["runs_dir"])))
    return estimate(Context(graph, dataset, store, compute, lambda _: None, lambda: False))


def _prepare(job: Mapping[str, Any]) -> dict[str, Any]:
    from core.data.locations import default_cache_root
    from core.data.prepare import prepare_dataset
    from core.spec_load import parse_data

    data, last = parse_data(job["data"]), 0.0

    def progress(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last > _TELL_SECONDS:
            last = time.monotonic()
            _progress(done, total)

    found = prepare_dataset(data, default_cache_root(), progress, workers=job.get("workers"))
    return {"folder": str(found.folder), "fingerprint": found.fingerprint}


def _report(job: Mapping[str, Any]) -> dict[str, Any]:
    from core.report.many.page import write_runs, write_sweep
    from core.report.run import write_report
    from core.runs import Run
    from core.sweeps import Sweep

    out = Path(job["out"]) if job.get("out") else None
    if "sweep" in job:
        return {"path": str(write_sweep(Sweep(Path(job["sweep"])), out))}
    if "runs" in job:
        return {"path": str(write_runs(_labelled(job), Path(job["out"])))}
    return {"path": str(write_report(Run(Path(job["run"])), out))}


def _labelled(job: Mapping[str, Any]) -> dict[str, Any]:
    from core.comparison.entries import short_labels
    from core.runs import Run

    runs = [Run(Path(path)) for path in job["runs"]]
    labels = job.get("labels") or short_labels([run.id for run in runs])
    return dict(zip(labels, runs, strict=True))


def _compare(job: Mapping[str, Any]) -> dict[str, Any]:
    from core.comparison.build import build
    from core.comparison.entries import read_entry

    entries = [read_entry(run, label) for label, run in _labelled(job).items()]
    return build(entries, job.get("baseline"), job.get("absent") or ())


def _estimate_sweep(job: Mapping[str, Any]) -> dict[str, Any]:
    from core.sweep_estimate import estimate_sweep
    from core.sweep_spec import SweepSpec

    plain = job["sweep"]
    sweep = SweepSpec(plain["name"], plain["base"], plain["axes"])
    return estimate_sweep(sweep, Path(job["runs_dir"]), job["device"], job["threads"])


def _extrapolate(job: Mapping[str, Any]) -> dict[str, Any]:
    from core.standalone import extrapolate_files

    return extrapolate_files(job, _steps)


def _prune(job: Mapping[str, Any]) -> dict[str, Any]:
    from core.standalone import prune_files

    return prune_files(job)


def _doctor(job: Mapping[str, Any]) -> dict[str, Any]:
    checks = []
    for name, look in (("torch", _torch), ("faiss", _faiss), ("device", _device)):
        try:
            checks.append({"name": name, "ok": True, "text": look()})
        except Exception as error:  # whatever is broken, doctor says so and goes on
            checks.append({"name": name, "ok": False, "text": f"{type(error).__name__}: {error}"})
    return {"checks": checks}


def _torch() -> str:
    import torch

    return f"torch {torch.__version__}, {torch.get_num_threads()} threads"


def _faiss() -> str:
    import faiss

    return f"faiss {faiss.__version__}"


def _device() -> str:
    import torch

    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        return f"{len(names)} CUDA device(s): {', '.join(names)}"
    return "mps" if torch.backends.mps.is_available() else "cpu only"


def _steps(what: str, done: int, total: int) -> None:
    _say({"type": "progress", "what": what, "done": done, "total": total})


def _progress(done: int, total: int) -> None:
    _say({"type": "progress", "done": done, "total": total})


def _say(line: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


_JOBS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "estimate": _estimate,
    "estimate_sweep": _estimate_sweep,
    "doctor": _doctor,
    "prepare": _prepare,
    "report": _report,
    "compare": _compare,
    "extrapolate": _extrapolate,
    "prune": _prune,
}
