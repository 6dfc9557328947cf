"""AutoAttack (2003.01690): its four attacks one after the other, by the package of its authors.

APGD on cross entropy, targeted APGD, targeted FAB and Square, with the published settings. The
package is an extra: ``pip install prunectl[autoattack]``.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.attacks.ball import Ball
from core.attacks.losses import cross_entropy
from core.attacks.pgd import Pgd
from core.attacks.pixels import Pixels
from core.errors import MachineError, UserError
from core.models.base import Net
from core.rng import derive, generator
from core.training.evaluate import evaluation_batch, evaluation_mode
from core.training.feed import Feed

PACKAGE = "pyautoattack"
_NORMS = {"linf": "Linf", "l2": "L2"}
_LEAST_CLASSES = 4  # its targeted loss looks at the four highest logits


def check(classes: int) -> None:
    """MachineError without the package, UserError for fewer than four classes."""
    if importlib.util.find_spec(PACKAGE) is None:
        raise MachineError(
            f"paradigm.autoattack needs the package {PACKAGE}, which is not installed",
            "pip install 'prunectl[autoattack]', or set paradigm.autoattack to 0",
        )
    if classes < _LEAST_CLASSES:
        what = f"AutoAttack needs {_LEAST_CLASSES} classes, the data have {classes}"
        raise UserError(what, "set paradigm.autoattack to 0")


def chosen(total: int, count: int, seed: int = 0) -> NDArray[np.int64]:
    """``count`` of ``total`` test samples, sorted: the same ones for every net."""
    order = generator(seed, "analysis", "attack").permutation(total)
    return np.sort(order[:count]).astype(np.int64)


def withstood(
    net: Net, feed: Feed, ball: Ball, ids: NDArray[np.int64], seed: int = 0
) -> NDArray[np.bool_]:
    """Which of the samples ``ids`` the net still gets right, bool ``[n]``, in evaluation mode."""
    with _attacking(net, feed, ball, ids, seed) as (attack, shown, x, targets):
        others = min(9, net.head.out_features - 1)
        attack.apgd_targeted.n_target_classes = attack.fab.n_target_classes = others
        batch = evaluation_batch(feed.input_shape)
        found, _ = attack.run_standard_evaluation(x, targets, batch_size=batch)
        right = torch.eq(shown(found).argmax(1), targets)
    held: NDArray[np.bool_] = right.cpu().numpy()
    return held


def square_alone(
    net: Net, feed: Feed, ball: Ball, pgd: Pgd, ids: NDArray[np.int64], seed: int = 0
) -> NDArray[np.bool_]:
    """Which of the samples ``ids`` withstand PGD and not Square, which reads no gradients, bool
    ``[n]``. ``ids`` are such as AutoAttack has fooled: of the others nothing is to be found."""
    if not len(ids):
        return np.zeros(0, dtype=bool)
    with _attacking(net, feed, ball, ids, seed) as (attack, shown, x, targets):
        generator = torch.Generator(feed.device)
        generator.manual_seed(derive(seed, "analysis", "attack", 2))
        found = pgd(shown, cross_entropy(targets), x, generator)
        left = torch.eq(shown(found).argmax(1), targets)
        fooled = torch.zeros_like(left)
        if bool(left.any()):
            squares = attack.square.perturb(x[left], targets[left])
            fooled[left] = torch.ne(shown(squares).argmax(1), targets[left])
    beyond: NDArray[np.bool_] = fooled.cpu().numpy()
    return beyond


@contextmanager
def _attacking(
    net: Net, feed: Feed, ball: Ball, ids: NDArray[np.int64], seed: int
) -> Iterator[tuple[Any, _FromPixels, Tensor, Tensor]]:
    """The package's attack, the net as it sees it, and pixels and labels of ``ids``; the net is in
    evaluation mode and torch's random numbers are as before afterwards."""
    check(net.head.out_features)
    pixels, batch = Pixels(feed), evaluation_batch(feed.input_shape)
    targets = feed.targets[torch.from_numpy(ids).to(feed.device)]
    raw = torch.cat(list(feed.raw_batches(ids, batch)))
    x = pixels.pixels(feed.normalise(raw)).contiguous()
    shown = _FromPixels(net, pixels)
    devices = [feed.device] if feed.device.type == "cuda" else []
    with evaluation_mode(net), feed.compute.autocast(), torch.random.fork_rng(devices):
        attack = importlib.import_module(PACKAGE).AutoAttack(
            shown, norm=_NORMS[ball.norm], eps=ball.radius, device=feed.device,
            seed=derive(seed, "analysis", "attack", 1) % (1 << 31),
        )  # fmt: skip
        yield attack, shown, x, targets


class _FromPixels(nn.Module):
    """The net as a function of pixels in [0, 1]."""

    def __init__(self, net: Net, pixels: Pixels) -> None:
        super().__init__()
        self._net, self._pixels = net, pixels

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``[B, C]`` in float32."""
        found: Tensor = self._net.head(self._net.features(self._pixels.inputs(x)))
        return found.float()
