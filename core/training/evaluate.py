"""Forward passes that change nothing: evaluation mode, un-augmented inputs, no gradients."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.models.base import Net
from core.training.feed import Feed

_VALUES = 1 << 21
"""Input values in one evaluation batch at most; keeps activations of large pictures small."""


@contextmanager
def evaluation_mode(net: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients; the mode before is restored."""
    training = net.training
    net.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        net.train(training)


def predict(net: Net, feed: Feed, ids: NDArray[np.int64] | None = None) -> NDArray[np.int32]:
    """Predicted class of each id (None: all), int32 ``[n]``."""
    found = [logits.argmax(1).to(torch.int32) for _, logits in outputs(net, feed, ids)]
    return torch.cat(found).cpu().numpy() if found else np.zeros(0, np.int32)


def probabilities(
    net: Net, feed: Feed, ids: NDArray[np.int64] | None = None
) -> NDArray[np.float32]:
    """Softmax probabilities, float32 ``[n, C]``."""
    found = [torch.softmax(logits.float(), 1).cpu() for _, logits in outputs(net, feed, ids)]
    return torch.cat(found).numpy() if found else np.zeros((0, net.head.out_features), np.float32)


def embed(net: Net, feed: Feed, ids: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
    """Embeddings of the ids (None: all), float32 ``[n, d]`` in host memory."""
    count = len(feed) if ids is None else len(ids)
    table = np.empty((count, net.embedding_dim), np.float32)
    done = 0
    for features, _ in outputs(net, feed, ids):
        table[done : done + len(features)] = features.float().cpu().numpy()
        done += len(features)
    return table


def outputs(
    net: Net, feed: Feed, ids: NDArray[np.int64] | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """(features ``[B, d]``, logits ``[B, C]``) of the ids in order, batch by batch."""
    with evaluation_mode(net), feed.compute.autocast():
        for raw in feed.raw_batches(ids, evaluation_batch(feed.input_shape)):
            features = net.features(feed.normalise(raw))
            yield features, net.head(features)


def evaluation_batch(input_shape: tuple[int, ...]) -> int:
    """Samples in an evaluation batch; fixed by the input, so results never depend on memory."""
    return max(16, min(512, _VALUES // prod(input_shape)))
