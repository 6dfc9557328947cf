"""Training of graph networks on the neighbour graph, by scored samples and what they can see.

Edges are weighted on each sample's own scale (:mod:`core.graph`). The first aggregation has no
parameters before it, so it is made once for all samples, steps and members (as in SGC, Wu et al.,
arXiv 1902.07153); a step then reads nothing but the scored samples it fits and their neighbours.
Training and prediction look equally far: as many hops as there are convolutions. In sampled
training every scored sample draws a fixed number of its edges by indexing into the rows of the
graph; looks at the stopping fold and predictions use all edges.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor, nn

from core.extrapolators.base import Floats, Ids
from core.graph import normalised, smooth, transition

_FULL_STEPS = 5  # steps on all scored samples between two looks at the stopping fold
_STEPS = 8  # steps on parts of them between two looks, or an epoch where that is shorter
_JUDGES = 400  # samples of the stopping fold that are looked at, at most
_NEWEST = 0.1  # weight of the newest network in the running mean that is judged and kept
_GAIN = 0.01  # share of the explained variance by which a look has to be better to go on
_BLOCK = 2048  # samples predicted at a time
_MOST = 4  # where more than one in so many is predicted, the first convolution is made of all
_HELD = 2**26  # numbers of that held at most
Kind = Literal["gcn", "sage"]


class Options(Protocol):
    """What the training reads of the extrapolator's options."""

    @property
    def hidden(self) -> int: ...
    @property
    def dropout(self) -> float: ...
    @property
    def lr(self) -> float: ...
    @property
    def weight_decay(self) -> float: ...
    @property
    def epochs(self) -> int: ...
    @property
    def patience(self) -> int: ...
    @property
    def batch(self) -> Any: ...
    @property
    def fanout(self) -> int: ...


class GraphNet(nn.Module):
    """Two convolutions of PyTorch Geometric, ReLU and dropout after each, and a linear head. Both
    are given what was aggregated: for a GCN the order of sum and product makes no difference."""

    def __init__(self, kind: Kind, width: int, scores: int, options: Options) -> None:
        from torch_geometric.nn import GCNConv, SAGEConv

        super().__init__()
        hidden = options.hidden
        self.kind = kind

        def conv(inputs: int) -> nn.Module:
            if kind == "gcn":
                made: nn.Module = GCNConv(inputs, hidden, normalize=False)
            else:  # the adjacency's rows sum to one, so this sum is a weighted mean
                made = SAGEConv(inputs, hidden, aggr="sum")
            return made

        self.first, self.second = conv(width), conv(hidden)
        self.head = nn.Linear(hidden, scores)
        self.drop = nn.Dropout(options.dropout)

    def forward(self, around: Tensor, own: Tensor) -> Tensor:
        """The second convolution and the head: hidden rows ``[n, H]``, summed over neighbours and
        own, to ``[n, S]``."""
        found: Tensor = self.head(self._layer(self.second, joined(self.kind, around, own)))
        return found

    def hidden(self, rows: Tensor) -> Tensor:
        """The first convolution of what :func:`joined` gives, ``[n, H]``."""
        return self._layer(self.first, rows)

    def _layer(self, conv: Any, rows: Tensor) -> Tensor:
        if self.kind == "gcn":  # the adjacency has self-loops
            weight, bias = conv.lin.weight, conv.bias
        else:  # both products at once
            weight, bias = torch.cat([conv.lin_l.weight, conv.lin_r.weight], 1), conv.lin_l.bias
        dropped: Tensor = self.drop(torch.relu(nn.functional.linear(rows, weight, bias)))
        return dropped


def joined(kind: Kind, around: Tensor, own: Tensor) -> Tensor:
    """What a convolution multiplies: sums over neighbours, for GraphSAGE with the own row beside
    them."""
    return around if kind == "gcn" else torch.cat([around, own], 1)


def adjacency(kind: Kind, graph: csr_array) -> csr_array:
    """The matrix a kind of network is run on, from the symmetric weights ``[N, N]``."""
    return normalised(graph) if kind == "gcn" else transition(graph)


def as_tensor(matrix: csr_array, device: str) -> Tensor:
    """A SciPy matrix as a sparse tensor."""
    with warnings.catch_warnings():  # torch calls its CSR tensors a beta
        warnings.simplefilter("ignore", UserWarning)
        made = torch.sparse_csr_tensor(
            torch.from_numpy(matrix.indptr.astype(np.int64)),
            torch.from_numpy(matrix.indices.astype(np.int64)),
            torch.from_numpy(matrix.data.astype(np.float32)),
            matrix.shape,
        )
    return made.to(device)


@dataclass(frozen=True)
class Inputs:
    """What the first convolution multiplies, ``rows`` ``[N, D or 2D]`` of all samples, and the
    graph."""

    rows: Tensor
    graph: csr_array

    @classmethod
    def made(cls, kind: Kind, own: Floats, graph: csr_array, device: str) -> Inputs:
        """The first aggregation of ``own`` ``[N, D]``."""
        around = torch.from_numpy(smooth(graph, own, 1))
        return cls(joined(kind, around, torch.from_numpy(own)).to(device), graph)

    def index(self, ids: Ids) -> Tensor:
        """Ids on the device of the rows."""
        return torch.from_numpy(ids).to(self.rows.device)

    def hidden(self, net: GraphNet, nodes: Tensor) -> Tensor:
        """The first convolution of ``nodes``, ``[n, H]``."""
        return net.hidden(self.rows.index_select(0, nodes))


@dataclass(frozen=True)
class Field:
    """The samples ``roots`` ``[r]`` with all their edges: what a prediction of them depends on."""

    inputs: Inputs
    roots: Tensor
    nodes: Tensor
    edges: Tensor

    @classmethod
    def of(cls, inputs: Inputs, ids: Ids) -> Field:
        """That of ``ids``."""
        part = csr_array(inputs.graph[ids])
        nodes, place = np.unique(part.indices, return_inverse=True)
        small = csr_array((part.data, place, part.indptr), shape=(len(ids), len(nodes)))
        edges = as_tensor(small, str(inputs.rows.device))
        return cls(inputs, inputs.index(ids), inputs.index(nodes.astype(np.int64)), edges)

    def forward(self, net: GraphNet) -> Tensor:
        """The network's output ``[r, S]``."""
        below = self.inputs.hidden(net, self.nodes)
        own = below if net.kind == "gcn" else self.inputs.hidden(net, self.roots)
        found: Tensor = net(self.edges @ below, own)
        return found


@dataclass(frozen=True)
class Task:
    """What one network is trained on: standardised targets ``[m, S]`` of the samples ``ids``, and
    the positions in ``ids`` that fit and that decide when to stop."""

    kind: Kind
    inputs: Inputs
    ids: Ids
    targets: Tensor
    inside: Ids
    outside: Ids
    full: bool

    @cached_property
    def everyone(self) -> Field:
        """All samples that fit."""
        return Field.of(self.inputs, self.ids[self.inside])


def train(task: Task, options: Options, seed: int) -> GraphNet:
    """The running mean of the networks of all steps, where it is best on the stopping fold.

    Nothing of torch's global random state is read or changed.
    """
    rows = task.inputs.rows
    with torch.random.fork_rng([rows.device] if rows.is_cuda else []):
        torch.manual_seed(seed)
        rng = np.random.default_rng(seed)
        width = rows.shape[1] // (1 if task.kind == "gcn" else 2)
        net = GraphNet(task.kind, width, task.targets.shape[1], options).to(rows.device)
        mean = copy.deepcopy(net).eval()
        pairs = list(zip(mean.parameters(), net.parameters(), strict=True))
        optimizer = torch.optim.Adam(
            net.parameters(), lr=options.lr, weight_decay=options.weight_decay, fused=True
        )
        judges = task.outside[:_JUDGES]
        stopping = Field.of(task.inputs, task.ids[judges])
        wanted = task.targets[task.inputs.index(judges)]
        best, best_loss, mark, since = mean.state_dict(), float("inf"), float("inf"), 0
        for step, (found, truth, look) in enumerate(_steps(task, net, options, rng), 1):
            optimizer.zero_grad()
            torch.autograd.backward(torch.nn.functional.mse_loss(found, truth))
            optimizer.step()
            with torch.no_grad():
                for kept, now in pairs:
                    kept.lerp_(now, max(1 / step, _NEWEST))
                if not look:
                    continue
                reached = float((stopping.forward(mean) - wanted).square().mean())
            if reached < best_loss:
                best = {k: v.clone() for k, v in mean.state_dict().items()}
                best_loss = reached
            if reached < mark - _GAIN * max(0.0, 1 - reached):
                mark, since = reached, 0
            elif (since := since + 1) >= options.patience:
                break
    mean.load_state_dict(best)
    return mean


def predict(net: GraphNet, inputs: Inputs, ids: Ids) -> Tensor:
    """The network's output ``[n, S]`` for ``ids``, with all edges, without dropout."""
    net.eval()
    count, width = len(inputs.rows), net.head.in_features
    parts = [ids[start : start + _BLOCK] for start in range(0, len(ids), _BLOCK)]
    with torch.no_grad():
        if len(ids) * _MOST < count or count * width > _HELD:
            return torch.cat([Field.of(inputs, part).forward(net) for part in parts])
        hidden = torch.empty(count, width, device=inputs.rows.device)
        for start in range(0, count, _BLOCK):
            hidden[start : start + _BLOCK] = net.hidden(inputs.rows[start : start + _BLOCK])
        return torch.cat([net(*_around(inputs, hidden, part)) for part in parts])


def _around(inputs: Inputs, hidden: Tensor, ids: Ids) -> tuple[Tensor, Tensor]:
    """Of hidden rows ``[N, H]`` the sums over neighbours of ``ids``, and their own: ``[n, H]``."""
    part = csr_array(inputs.graph[ids])
    summed: Tensor = nn.functional.embedding_bag(
        inputs.index(part.indices), hidden, inputs.index(part.indptr[:-1]), mode="sum",
        per_sample_weights=torch.from_numpy(part.data).to(hidden.device),
    )  # fmt: skip
    return summed, hidden.index_select(0, inputs.index(ids))


def _steps(
    task: Task, net: GraphNet, options: Options, rng: np.random.Generator
) -> Iterator[tuple[Tensor, Tensor, bool]]:
    """Outputs, their targets, and whether to look at the stopping fold after this step: of all that
    fit at once, or of parts with drawn edges."""
    inputs = task.inputs
    if task.full:
        wanted = task.targets[inputs.index(task.inside)]
        for step in range(1, options.epochs + 1):
            look = step % _FULL_STEPS == 0 or step == options.epochs
            yield task.everyone.forward(net), wanted, look
        return
    size = int(options.batch)
    parts = -(-len(task.inside) // size)
    every, last = min(parts, _STEPS), parts * options.epochs
    step = 0
    for _ in range(options.epochs):
        order = rng.permutation(task.inside)
        nodes, weights = drawn(inputs.graph, task.ids[order], options.fanout, rng)
        for start in range(0, len(order), size):
            part = order[start : start + size]
            around = inputs.index(nodes[start : start + size].ravel())
            hidden = inputs.hidden(net, torch.cat([inputs.index(task.ids[part]), around]))
            below = hidden[len(part) :].view(len(part), options.fanout, -1)
            share = torch.from_numpy(weights[start : start + size]).to(hidden.device)
            summed = torch.bmm(share[:, None], below)[:, 0]
            step += 1
            look = step % every == 0 or step == last
            yield net(summed, hidden[: len(part)]), task.targets[inputs.index(part)], look


def drawn(
    graph: csr_array, roots: Ids, fanout: int, rng: np.random.Generator
) -> tuple[Ids, Floats]:
    """Neighbours int64 ``[r, fanout]`` of ``roots``, drawn from their edges with replacement, and
    weights: those of the edges times degree / fanout, so that the sum over them is that over all
    edges in expectation."""
    degree = np.diff(graph.indptr)[roots][:, None]
    place = graph.indptr[roots][:, None] + (rng.random((len(roots), fanout)) * degree).astype(int)
    weights: NDArray[Any] = graph.data[place] * (degree / fanout)
    return graph.indices[place].astype(np.int64), weights.astype(np.float32)


def standardised(scores: Floats) -> tuple[Floats, Floats, Floats]:
    """Scores ``[m, S]`` with mean 0 and deviation 1, the mean and the deviation ``[S]``."""
    mean = scores.mean(axis=0)
    scale = np.where((spread := scores.std(axis=0)) > 0, spread, np.float32(1))
    return ((scores - mean) / scale).astype(np.float32), mean, scale.astype(np.float32)
