"""Training of graph networks on the neighbour graph, by scored samples and what they can see.

Edges are weighted on each sample's own scale (:mod:`core.graph`). The first aggregation has no
parameters before it, so it is made once for all samples, steps and members (as in SGC, Wu et al.,
arXiv 1902.07153); a step then reads nothing but the scored samples it fits and their neighbours.
Training and prediction look equally far: as many hops as there are convolutions. In sampled
training every scored sample draws a fixed number of its edges by indexing into the rows of the
graph; looks at the stopping fold and predictions use all edges.
"""

from __future__ import annotations

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
from core.graph import normalised, transition

_LOOK_EVERY = 5  # steps on all scored samples between two looks at the stopping fold
_BLOCK = 8192  # samples predicted at a time
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

        def conv(inputs: int) -> nn.Module:
            if kind == "gcn":
                made: nn.Module = GCNConv(inputs, hidden, normalize=False)
            else:  # the adjacency's rows sum to one, so this sum is a weighted mean
                made = SAGEConv(inputs, hidden, aggr="sum")
            return made

        self.first, self.second = conv(width), conv(hidden)
        self.head = nn.Linear(hidden, scores)
        self.drop = nn.Dropout(options.dropout)

    def hidden(self, around: Tensor, own: Tensor) -> Tensor:
        """The first convolution: rows ``[n, D]`` and their sums over neighbours to ``[n, H]``."""
        return self._layer(self.first, around, own)

    def forward(self, around: Tensor, own: Tensor) -> Tensor:
        """The second and the head: ``[n, H]``, summed over neighbours and own, to ``[n, S]``."""
        found: Tensor = self.head(self._layer(self.second, around, own))
        return found

    def _layer(self, conv: Any, around: Tensor, own: Tensor) -> Tensor:
        if hasattr(conv, "lin_l"):
            found = conv.lin_l(around) + conv.lin_r(own)
        else:  # the adjacency has self-loops
            found = conv.lin(around) + conv.bias
        dropped: Tensor = self.drop(torch.relu(found))
        return dropped


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
    """Rows ``[N, D]`` of all samples, their sums over neighbours ``[N, D]``, and the graph."""

    own: Tensor
    around: Tensor
    graph: csr_array

    @classmethod
    def made(cls, rows: Floats, graph: csr_array, device: str) -> Inputs:
        """The first aggregation of ``rows`` ``[N, D]``."""
        around = np.asarray(graph @ rows, dtype=np.float32)
        return cls(torch.from_numpy(rows).to(device), torch.from_numpy(around).to(device), graph)

    def index(self, ids: Ids) -> Tensor:
        """Ids on the device of the rows."""
        return torch.from_numpy(ids).to(self.own.device)

    def hidden(self, net: GraphNet, nodes: Tensor) -> Tensor:
        """The first convolution of ``nodes``, ``[n, H]``."""
        return net.hidden(self.around.index_select(0, nodes), self.own.index_select(0, nodes))


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
        edges = as_tensor(small, str(inputs.own.device))
        return cls(inputs, inputs.index(ids), inputs.index(nodes.astype(np.int64)), edges)

    def forward(self, net: GraphNet) -> Tensor:
        """The network's output ``[r, S]``."""
        around = self.edges @ self.inputs.hidden(net, self.nodes)
        found: Tensor = net(around, self.inputs.hidden(net, self.roots))
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
    """The network at its best epoch on the stopping fold.

    Nothing of torch's global random state is read or changed.
    """
    own = task.inputs.own
    with torch.random.fork_rng([own.device] if own.is_cuda else []):
        torch.manual_seed(seed)
        rng = np.random.default_rng(seed)
        net = GraphNet(task.kind, own.shape[1], task.targets.shape[1], options).to(own.device)
        optimizer = torch.optim.Adam(
            net.parameters(), lr=options.lr, weight_decay=options.weight_decay
        )
        stopping = Field.of(task.inputs, task.ids[task.outside])
        wanted = task.targets[task.inputs.index(task.outside)]
        best, best_loss, since = net.state_dict(), float("inf"), 0
        for epoch in range(options.epochs):
            net.train()
            for found, truth in _steps(task, net, options, rng):
                optimizer.zero_grad()
                torch.autograd.backward(torch.nn.functional.mse_loss(found, truth))
                optimizer.step()
            if task.full and epoch % _LOOK_EVERY:
                continue
            net.eval()
            with torch.no_grad():
                reached = float((stopping.forward(net) - wanted).square().mean())
            if reached < best_loss:
                best = {k: v.detach().clone() for k, v in net.state_dict().items()}
                best_loss, since = reached, 0
            elif (since := since + 1) >= options.patience:
                break
    net.load_state_dict(best)
    return net


def predict(net: GraphNet, inputs: Inputs, ids: Ids) -> Tensor:
    """The network's output ``[n, S]`` for ``ids``, with all edges, without dropout."""
    net.eval()
    with torch.no_grad():
        starts = range(0, len(ids), _BLOCK)
        return torch.cat([Field.of(inputs, ids[s : s + _BLOCK]).forward(net) for s in starts])


def _steps(
    task: Task, net: GraphNet, options: Options, rng: np.random.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Outputs and their targets: of all that fit at once, or of parts with drawn edges."""
    inputs = task.inputs
    if task.full:
        yield task.everyone.forward(net), task.targets[inputs.index(task.inside)]
        return
    order, size = rng.permutation(task.inside), int(options.batch)
    for start in range(0, len(order), size):
        part = order[start : start + size]
        nodes, weights = drawn(inputs.graph, task.ids[part], options.fanout, rng)
        tree = np.concatenate([task.ids[part], nodes.ravel()])
        hidden = inputs.hidden(net, inputs.index(tree))
        below = hidden[len(part) :].view(*nodes.shape, -1)
        around = torch.einsum("rf,rfh->rh", torch.from_numpy(weights).to(hidden.device), below)
        yield net(around, hidden[: len(part)]), task.targets[inputs.index(part)]


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
