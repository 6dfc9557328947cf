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
from core.extrapolators import _design, _principal, base
from core.extrapolators.base import Features, Floats, Ids, Prediction
from core.graph import symmetric
from core.neighbors import normalise

NEEDS = ("neighbors",)
NEIGHBORS = 10
_STEP = 128  # scored samples a step
_WHOLE = 256  # so many or fewer are one step, with all their edges
_LENGTH = 0.4  # root mean square length of the rows: short ones keep the network smooth at first
_SHARE = 0.8  # of the variance: components that hold less say too little of an embedding
_FOLDS = 10  # one decides when to stop


@dataclass(frozen=True)
class Params:
    """Options of the section ``extrapolate``."""

    k: int | Literal["auto"] = "auto"
    """Neighbours of a sample in the graph; auto is 10."""
    layers: Literal["auto", "gcn", "sage"] = "auto"
    """Kind of the two convolutions; auto compares both."""
    hidden: int = 256
    """Width of the convolutions."""
    dropout: float = 0.0
    """Share of hidden units dropped in training."""
    lr: float = 0.01
    """Learning rate of Adam."""
    weight_decay: float = 0.0005
    """L2 penalty of Adam."""
    epochs: int = 200
    """Passes over the scored samples at most."""
    patience: int = 3
    """Looks at the stopping fold that gain less than 1% of the explained variance before it stops;
    there is one every eight steps, or an epoch where that is shorter, with ``full`` every five."""
    batch: int | Literal["auto", "full"] = "auto"
    """Scored samples a step; full: all at once, with all edges; auto is 128, but
    all where there are at most 256."""
    components: int = 64
    """Principal components of the embedding that are read, fewer where these hold 99% of the
    variance; with 0, and where they hold less than 80%, the embedding is read as it is."""
    fanout: int = 3
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
        if given.components < 0:
            raise UserError("extrapolate.components is negative", "give 0 (all) or more")
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
        inputs = _gnn.Inputs.made(kind, node_features(x, params), graph, x.device)
        standard, mean, scale = _gnn.standardised(scores)
        wanted = torch.from_numpy(standard).to(x.device)
        fold = rng.permutation(len(ids)) % min(max(_FOLDS, params.members), len(ids))
        full = _full(params, len(ids))
        if params.batch == "auto" and not full:
            params = replace(params, batch=_STEP)
        members: list[NDArray[Any]] = []
        errors = []
        for member in range(min(params.members, len(ids))):
            outside = np.flatnonzero(fold == member)
            inside = np.flatnonzero(fold != member)
            inside = inside if len(inside) else outside
            task = _gnn.Task(kind, inputs, ids, wanted, inside, outside, full)
            net = _gnn.train(task, params, int(rng.integers(2**62)))
            asked = np.concatenate([targets, ids[outside]])
            found = _gnn.predict(net, inputs, asked).double().cpu().numpy()
            members.append(found[: len(targets)])
            errors.append(standard[outside] - found[len(targets) :])
        noise: Any = np.square(np.concatenate(errors)).mean(axis=0)
        together = np.stack(members)
        out = Prediction.empty(len(x), scores.shape[1])
        out.values[targets] = mean + scale * together.mean(axis=0)
        out.std[targets] = scale * np.sqrt(together.var(axis=0) + noise)
        return out


def make(params: Params) -> Gnn:
    """The extrapolator with the user's options."""
    return Gnn(params)


def node_features(x: Features, params: Params) -> Floats:
    """Unit embeddings with standardised columns, or the first principal components of these, on one
    scale for all; then a one-hot label (zeros where there is none): float32 ``[N, d (+ C)]``."""
    rows = _reduced(x.embeddings, params.components)
    if rows is None:
        rows = normalise(x.embeddings)
        rows -= rows.mean(axis=0, dtype=np.float64).astype(np.float32)
        spread = rows.std(axis=0, dtype=np.float64).astype(np.float32)
        rows /= np.where(spread > 0, spread, np.float32(1))
    length = np.sqrt(np.vdot(rows, rows) / len(rows))
    rows *= np.float32(_LENGTH / length if length > 0 else 1)
    if not params.use_labels or x.labels is None or int(x.labels.max()) < 0:
        return rows
    return np.concatenate([rows, _design.one_hot(x.labels, int(x.labels.max()) + 1)], axis=1)


def _reduced(embeddings: Floats, components: int) -> Floats | None:
    """The principal components; None where there are no fewer, or they leave too much out."""
    if not 0 < components < embeddings.shape[1]:
        return None
    seen = _principal.projection(embeddings, components)
    return seen.rows(embeddings) if seen.share >= _SHARE else None


def _full(params: Params, scored: int) -> bool:
    if params.batch != "auto":
        return params.batch == "full"
    return scored <= _WHOLE
