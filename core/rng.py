"""Random numbers from names, not from state.

A generator is made anew from (seed, role, stream, counters...) wherever one is needed, so nothing
random has to be saved in a checkpoint, and a resumed run draws what an undisturbed one would.
Roles keep the scoring run, the reference and the retrainings independent of each other (sharing
them would inflate truth and ceiling); all retrainings of a seed share theirs, so that two kept
sets are compared under the same initialisation, order and augmentation.
"""

from __future__ import annotations

import hashlib

import numpy as np

ROLES = frozenset({"data", "scoring", "reference", "retraining", "analysis", "crossfit"})
STREAMS = frozenset(
    {
        "data",
        "subset",
        "init",
        "order",
        "augment",
        "fold",
        "extrapolate",
        "select",
        "attack",
        "bootstrap",
    }
)


def derive(seed: int, role: str, stream: str, *counters: int) -> int:
    """A 63-bit integer that depends on nothing but the arguments. Unknown names: ValueError."""
    if role not in ROLES:
        raise ValueError(f"unknown role {role!r}")
    if stream not in STREAMS:
        raise ValueError(f"unknown stream {stream!r}")
    text = "/".join(["prunectl", str(int(seed)), role, stream, *(str(int(c)) for c in counters)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, role: str, stream: str, *counters: int) -> np.random.Generator:
    """A NumPy generator seeded by :func:`derive`."""
    return np.random.Generator(np.random.PCG64(derive(seed, role, stream, *counters)))
