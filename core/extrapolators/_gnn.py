"""Training of graph networks on the neighbour graph: whole, or sampled by indexing.

Edges are weighted on each sample's own scale (:mod:`core.graph`). Training and prediction look
equally far: as many hops as there are convolutions. In sampled training every node draws a fixed
number of its edges by indexing into the rows of the graph, so nothing but arrays is needed;
prediction always uses all edges.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor, nn

from core.extrapolators.base import Floats, Ids
from core.graph import normalised, transition

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOOK_EVERY = 5  # full-graph steps between two looks at the stopping fold
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
    """Two convolutions of PyTorch Geometric, ReLU and dropout between, and a linear head."""

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

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        """``[n, D]`` and a sparse ``[n, n]`` to ``[n, S]``."""
        x = self.drop(torch.relu(self.first(x, adjacency)))
        x = self.drop(torch.relu(self.second(x, adjacency)))
        found: Tensor = self.head(x)
        return found


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


@dataclass
class Task:
    """What one network is trained on: rows ``[N, D]``, the graph, standardised targets ``[m, S]``
    of the samples ``ids``, and the positions in ``ids`` that fit and that decide when to stop."""

    kind: Kind
    rows: Tensor
    graph: csr_array
    ids: Ids
    targets: Tensor
    inside: Ids
    outside: Ids
    full: bool


def train(task: Task, options: Options, seed: int) -> tuple[GraphNet, Tensor]:
    """The network at its best epoch on the stopping fold, and its output for all N samples.

    Nothing of torch's global random state is read or changed.
    """
    everyone = as_tensor(task.graph, str(task.rows.device))
    with torch.random.fork_rng([task.rows.device] if task.rows.is_cuda else []):
        torch.manual_seed(seed)
        rng = np.random.default_rng(seed)
        net = GraphNet(task.kind, task.rows.shape[1], task.targets.shape[1], options)
        net.to(task.rows.device)
        optimizer = torch.optim.Adam(
            net.parameters(), lr=options.lr, weight_decay=options.weight_decay
        )
        stop_at = torch.from_numpy(task.ids[task.outside]).to(task.rows.device)
        wanted = task.targets[torch.from_numpy(task.outside).to(task.rows.device)]
        best, best_loss, best_epoch = net.state_dict(), float("inf"), 0
        for epoch in range(options.epochs):
            net.train()
            for x, graph, roots, truth in _batches(task, everyone, options, rng):
                optimizer.zero_grad()
                loss = torch.nn.functional.mse_loss(net(x, graph)[roots], truth)
                torch.autograd.backward(loss)
                optimizer.step()
            if task.full and epoch % _LOOK_EVERY:
                continue
            reached = float((predict(net, task.rows, everyone)[stop_at] - wanted).square().mean())
            if reached < best_loss:
                best = {k: v.detach().clone() for k, v in net.state_dict().items()}
                best_loss, best_epoch = reached, epoch
            if epoch - best_epoch >= options.patience:
                break
    net.load_state_dict(best)
    return net, predict(net, task.rows, everyone)


def predict(net: GraphNet, rows: Tensor, everyone: Tensor) -> Tensor:
    """The network's output ``[N, S]`` with all edges, without dropout."""
    net.eval()
    with torch.no_grad():
        found: Tensor = net(rows, everyone)
    return found


def _batches(
    task: Task, everyone: Tensor, options: Options, rng: np.random.Generator
) -> Iterator[tuple[Tensor, Tensor, Any, Tensor]]:
    """Rows, graph, which of its nodes count, their targets: once whole, or in sampled parts."""
    if task.full:
        roots = torch.from_numpy(task.ids[task.inside]).to(task.rows.device)
        inside = torch.from_numpy(task.inside).to(task.rows.device)
        yield task.rows, everyone, roots, task.targets[inside]
        return
    order, size = rng.permutation(task.inside), int(options.batch)
    for start in range(0, len(order), size):
        part = order[start : start + size]
        nodes, small = sampled(task.graph, task.ids[part], options.fanout, 2, rng)
        chosen = torch.from_numpy(nodes).to(task.rows.device)
        truth = task.targets[torch.from_numpy(part).to(task.rows.device)]
        graph = as_tensor(small, str(task.rows.device))
        yield task.rows[chosen], graph, slice(0, len(part)), truth


def sampled(
    graph: csr_array, roots: Ids, fanout: int, hops: int, rng: np.random.Generator
) -> tuple[Ids, csr_array]:
    """A tree of ``hops`` levels below ``roots``: its nodes int64 ``[T]``, roots first, and its
    adjacency ``[T, T]``.

    Each node draws ``fanout`` of its edges with replacement; their weights are scaled by
    degree / fanout, so that the sum over them is that over all edges in expectation. The last
    level has no edges: with as many convolutions as hops, no root depends on what is missing.
    """
    levels, values, columns, counts = [roots], [], [], []
    offset = len(roots)
    for _ in range(hops):
        parents = levels[-1]
        degree = np.diff(graph.indptr)[parents]
        drawn = (rng.random((len(parents), fanout)) * degree[:, None]).astype(np.int64)
        place = graph.indptr[parents][:, None] + drawn
        levels.append(graph.indices[place].ravel().astype(np.int64))
        values.append((graph.data[place] * (degree[:, None] / fanout)).ravel())
        columns.append(np.arange(offset, offset + place.size))
        counts.append(np.full(len(parents), fanout))
        offset += place.size
    counts.append(np.zeros(len(levels[-1]), np.int64))
    starts = np.concatenate([[0], np.cumsum(np.concatenate(counts))])
    data: NDArray[Any] = np.concatenate(values).astype(np.float32)
    small = csr_array((data, np.concatenate(columns), starts), shape=(offset, offset))
    return np.concatenate(levels), small


def standardised(scores: Floats) -> tuple[Floats, Floats, Floats]:
    """Scores ``[m, S]`` with mean 0 and deviation 1, the mean and the deviation ``[S]``."""
    mean = scores.mean(axis=0)
    scale = np.where((spread := scores.std(axis=0)) > 0, spread, np.float32(1))
    return ((scores - mean) / scale).astype(np.float32), mean, scale.astype(np.float32)
