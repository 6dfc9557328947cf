"""The two extrapolators of arXiv 2506.09010 as its code has them, as baselines.

kNN: mean of the k = 20 nearest by Euclidean distance of raw embeddings. GCN: three convolutions
(in-512-256-1), dropout 0.5, k = 10, edge weight sqrt(exp(-d)) on raw embeddings beside a self-loop
of 1, one-hot labels of all samples joined to the embedding, squared error, Adam 1e-3, a tenth of
the scored samples decides the epoch. Two deviations: full batch instead of sampled (with 50 epochs
of as many steps as batches of 128 would have), and prediction over the hops that were trained.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from core.metrics import pearson
from core.neighbors import among_all, search

K_KNN, K_GCN, EPOCHS, BATCH = 20, 10, 50, 128


def knn(
    embeddings: np.ndarray, labels: np.ndarray, ids: np.ndarray, scores: np.ndarray, seed: int
) -> np.ndarray:
    """float32 ``[N]``."""
    near = search(embeddings[ids], embeddings, min(K_KNN, len(ids)), threads=1)
    return scores[near.indices].mean(axis=1).astype(np.float32)


def gcn(
    embeddings: np.ndarray, labels: np.ndarray, ids: np.ndarray, scores: np.ndarray, seed: int
) -> np.ndarray:
    """float32 ``[N]``."""
    import torch
    from scipy.sparse import csr_array, eye_array
    from torch import nn
    from torch_geometric.nn import GCNConv

    from core.extrapolators._gnn import as_tensor

    near = among_all(embeddings, K_GCN, metric="euclidean", threads=1)
    count, k = near.indices.shape
    weights = np.sqrt(np.exp(-near.distances.astype(np.float64)))
    graph = csr_array((weights.ravel(), near.indices.ravel(), np.arange(0, count * k + 1, k)))
    graph = csr_array(graph + eye_array(count))
    root = 1 / np.sqrt(np.asarray(graph.sum(axis=1)).ravel())
    rows = np.repeat(np.arange(count), np.diff(graph.indptr))
    graph.data = graph.data * root[rows] * root[graph.indices]
    hot = np.eye(int(labels.max()) + 1, dtype=np.float32)[labels]
    x = torch.from_numpy(np.concatenate([hot, embeddings], axis=1).astype(np.float32))
    torch.manual_seed(seed)
    layers = nn.ModuleList(
        GCNConv(i, o, normalize=False) for i, o in ((x.shape[1], 512), (512, 256), (256, 1))
    )
    adjacency, truth = as_tensor(graph, "cpu"), torch.from_numpy(scores.astype(np.float32))
    order = np.random.default_rng(seed).permutation(len(ids))
    held, fit = order[: len(ids) // 10], order[len(ids) // 10 :]

    coin = np.random.default_rng([seed, 1])

    def forward() -> torch.Tensor:
        h = x
        for i, layer in enumerate(layers):
            h = layer(h, adjacency)
            if i < 2:
                h = torch.relu(h)
                if layers.training:  # dropout 0.5: fair bits are six times as fast as torch's
                    bits = np.frombuffer(coin.bytes(h.numel() // 8), np.uint8)
                    h = h * torch.from_numpy(np.unpackbits(bits).reshape(h.shape)).mul(2)
        return h[:, 0]

    optimizer = torch.optim.Adam(layers.parameters(), lr=1e-3)
    best, reached = np.zeros(count, np.float32), -2.0
    for step in range(min(1000, EPOCHS * max(1, len(fit) // BATCH))):
        layers.train()
        optimizer.zero_grad()
        nn.functional.mse_loss(forward()[ids[fit]], truth[fit]).backward()
        optimizer.step()
        if step % 10 == 9:
            layers.eval()
            with torch.no_grad():
                found = forward().numpy()
            value = pearson(found[ids[held]], scores[held])
            if value is not None and value > reached:
                best, reached = found, value
    return best


METHODS: dict[str, Callable[..., np.ndarray]] = {"paper_knn": knn, "paper_gcn": gcn}
