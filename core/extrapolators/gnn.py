"""A graph network (GCN or GraphSAGE) on the neighbour graph of all samples.

After the GNN of arXiv 2506.09010, repaired: embeddings are normalised and edges weighted on each
sample's own scale (the paper's exp(-d) vanishes beside the self-loop where norms are large); as
many hops in prediction as in training; the epoch is chosen on a part of the scored samples that is
not fitted; labels of unscored samples are not used unless asked for. GCN: Kipf and Welling
1609.02907; GraphSAGE: Hamilton et al. 1706.02216.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import UserError
from core.extrapolators import _design, base
from core.extrapolators.base import Features, Floats, Ids, Prediction
from core.graph import symmetric
from core.neighbors import normalise

NEEDS = ("neighbors",)
NEIGHBORS = 10
_FULL_VALUES = 2**28  # activations of a whole-graph step at most, else it is sampled: 1 GiB
_SAMPLED_BATCH = 512


@dataclass(frozen=True)
class Params:
    """Options of the section ``extrapolate``."""

    k: int | Literal["auto"] = "auto"
    """Neighbours of a sample in the graph; auto is 10."""
    layers: Literal["auto", "gcn", "sage"] = "auto"
    """Kind of the two convolutions; auto compares both."""
    hidden: int = 256
    """Width of the convolutions."""
    dropout: float = 0.3
    """Share of hidden units dropped in training."""
    lr: float = 0.01
    """Learning rate of Adam."""
    weight_decay: float = 0.0005
    """L2 penalty of Adam."""
    epochs: int = 200
    """Passes over the scored samples at most."""
    patience: int = 30
    """Epochs without a better one before it stops."""
    batch: int | Literal["auto", "full"] = "auto"
    """Scored samples a step; full: the whole graph at once; auto: full where that fits."""
    fanout: int = 10
    """Edges a node draws in sampled training."""
    members: int = 3
    """Networks, each stopped on another part of the scored samples; their mean is taken."""
    use_labels: bool = False
    """Join the one-hot label of every sample that has one to its embedding."""


class Gnn(base.Extrapolator[Params]):
    """Candidates are the kinds that ``given`` leaves open."""

    def __init__(self, given: Params) -> None:
        for name in ("hidden", "epochs", "patience", "fanout", "members"):
            if getattr(given, name) < 1:
                raise UserError(f"extrapolate.{name} is {getattr(given, name)}", "give at least 1")
        for name in ("k", "batch"):
            value = getattr(given, name)
            if isinstance(value, int) and value < 1:
                raise UserError(f"extrapolate.{name} is {value}", "give at least 1, or auto")
        if not 0 <= given.dropout < 1:
            raise UserError(f"extrapolate.dropout is {given.dropout:g}", "give 0 to 0.9")
        self.given = given
        self.needs = _design.needs(given.use_labels) | {"neighbors"}

    def candidates(self, m: int) -> list[Params]:
        """One setting per kind of convolution."""
        given = self.given
        kinds: tuple[Literal["gcn", "sage"], ...] = ("gcn", "sage")
        k = NEIGHBORS if given.k == "auto" else given.k
        return [
            replace(given, k=k, layers=kind) for kind in kinds if given.layers in ("auto", kind)
        ]

    def fit_predict(
        self,
        x: Features,
        ids: Ids,
        scores: Floats,
        params: Params,
        rng: np.random.Generator,
        targets: Ids | None = None,
    ) -> Prediction:
        """Train all members; the std adds their spread to their errors where they did not fit."""
        import torch

        from core.extrapolators import _gnn

        targets = base.others(x, ids) if targets is None else targets
        if x.neighbors is None or params.k == "auto" or params.layers == "auto":
            raise ValueError("the neighbours are missing, or a setting is still open")
        kind = params.layers
        graph = _gnn.adjacency(kind, symmetric(x.neighbors, params.k))
        rows = torch.from_numpy(node_features(x, params)).to(x.device)
        standard, mean, scale = _gnn.standardised(scores)
        wanted = torch.from_numpy(standard).to(x.device)
        fold = rng.permutation(len(ids)) % min(max(5, params.members), len(ids))
        full = _full(params, len(x), rows.shape[1])
        if params.batch == "auto" and not full:
            params = replace(params, batch=_SAMPLED_BATCH)
        members: list[NDArray[Any]] = []
        errors = []
        for member in range(min(params.members, len(ids))):
            outside = np.flatnonzero(fold == member)
            inside = np.flatnonzero(fold != member)
            inside = inside if len(inside) else outside
            task = _gnn.Task(kind, rows, graph, ids, wanted, inside, outside, full)
            _, found = _gnn.train(task, params, int(rng.integers(2**62)))
            members.append(found.double().cpu().numpy())
            errors.append(standard[outside] - members[-1][ids[outside]])
        noise = np.square(np.concatenate(errors)).mean(axis=0)
        together = np.stack(members)[:, targets]
        out = Prediction.empty(len(x), scores.shape[1])
        out.values[targets] = mean + scale * together.mean(axis=0)
        out.std[targets] = scale * np.sqrt(together.var(axis=0) + noise)
        return out


def make(params: Params) -> Gnn:
    """The extrapolator with the user's options."""
    return Gnn(params)


def node_features(x: Features, params: Params) -> Floats:
    """Unit embeddings with columns standardised over all samples, then a one-hot label (zeros where
    there is none): float32 ``[N, d (+ C)]``."""
    rows = normalise(x.embeddings)
    rows -= rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    spread = rows.std(axis=0, dtype=np.float64).astype(np.float32)
    rows /= np.where(spread > 0, spread, np.float32(1))
    if not params.use_labels or x.labels is None or int(x.labels.max()) < 0:
        return rows
    return np.concatenate([rows, _design.one_hot(x.labels, int(x.labels.max()) + 1)], axis=1)


def _full(params: Params, count: int, width: int) -> bool:
    if params.batch != "auto":
        return params.batch == "full"
    return count * (width + 6 * params.hidden) <= _FULL_VALUES
