"""The process entry: ``python -P -m core.worker RUN_DIR`` works on a run, ``... JOB.json`` answers
one question of a front end that must not import torch itself."""

from __future__ import annotations

import sys
from pathlib import Path

from core.imports import quick_imports
from core.runs import Run
from core.session import Session


def main(arguments: list[str]) -> int:
    """Run or job by what the path is; the exit code."""
    paths = [a for a in arguments if not a.startswith("--")]
    if len(paths) != 1:
        print("usage: python -P -m core.worker RUN_DIR [--fresh] | JOB.json", file=sys.stderr)
        return 2
    path = Path(paths[0]).absolute()
    if path.is_dir():
        fresh = "--fresh" in arguments

        def work(session: Session, spec: object) -> None:
            # Imported late: the run's state says that a worker lives before torch is loaded.
            from core.sinks.start import track
            from core.spec import Spec

            assert isinstance(spec, Spec)
            track(session, spec.tracking)
            with quick_imports():
                from core.work import run_spec

            run_spec(session, spec, fresh=fresh)

        return Session(Run(path)).run(work)
    from core.jobs import run_job

    return run_job(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
