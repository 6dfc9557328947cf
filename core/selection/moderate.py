"""Keep the samples at a middling distance from their class's centre (Moderate, Xia et al. 2023).

The centre of a class is the median of its embeddings, feature by feature. Samples are sorted by
their Euclidean distance to their own class's centre, all classes together, and the ``n_keep`` in
the middle are kept: neither the typical nor the outlying. The score is not read.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.selection.base import Ids, SelectionInput

NEEDS = ("labels", "embeddings")
FORMULA = "the middle n of |x - median of the class|, sorted"
WHEN = "data with many outliers or wrong labels; a baseline that reads no score"

_CHUNK = 1 << 16


def select(table: SelectionInput, n_keep: int, rate: float, rng: np.random.Generator) -> Ids:
    """The middle ``n_keep`` by distance, ties by id. Unlabelled samples (-1) are one class."""
    assert table.labels is not None and table.embeddings is not None
    distance = distances(table.embeddings, table.labels)
    order = np.argsort(distance, kind="stable")
    first = (len(order) - n_keep) // 2
    return np.sort(order[first : first + n_keep]).astype(np.int64)


def distances(embeddings: NDArray[np.float32], labels: Ids) -> NDArray[np.float32]:
    """Of every sample to its class's median: ``[N, d]``, ``[N]`` -> float32 ``[N]``."""
    found = np.empty(len(labels), dtype=np.float32)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        centre = np.median(embeddings[members], axis=0)
        for at in range(0, len(members), _CHUNK):
            part = members[at : at + _CHUNK]
            found[part] = np.linalg.norm(embeddings[part] - centre, axis=1)
    return found
