"""The supervisor's process entry: ``python -P -m prunectl.sweep SWEEP_DIR [--retry-failed]``."""

from __future__ import annotations

import sys
from pathlib import Path

from prunectl.sweep import server


def main(arguments: list[str]) -> int:
    """Supervise the sweep; the exit code."""
    paths = [a for a in arguments if not a.startswith("--")]
    if len(paths) != 1:
        print("usage: python -P -m prunectl.sweep SWEEP_DIR [--retry-failed]", file=sys.stderr)
        return 2
    server.begin()  # loads in another process while this one does
    from core.sweeps import Sweep
    from prunectl.sweep.options import Options
    from prunectl.sweep.supervisor import supervise

    sweep = Sweep(Path(paths[0]).absolute())

    retry = "--retry-failed" in arguments
    return supervise(sweep.path, Options.of(sweep.options(), retry_failed=retry))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
