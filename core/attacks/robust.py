"""How many samples a net still gets right when each is attacked."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.attacks.losses import AttackLoss, fooled
from core.attacks.pgd import Pgd
from core.attacks.pixels import Pixels
from core.models.base import Net
from core.rng import derive
from core.training.evaluate import evaluation_batch, evaluation_mode
from core.training.feed import Feed

Named = Mapping[str, tuple[Pgd, Callable[[Tensor], AttackLoss]]]
"""Attacks by name, each with what it raises, made from the targets."""


def attacked(
    net: Net, feed: Feed, attacks: Named, ids: NDArray[np.int64] | None = None, seed: int = 0
) -> tuple[NDArray[np.int32], dict[str, float]]:
    """Predicted classes of the untouched samples, int32 ``[n]``, and the share of samples that are
    right before and after each attack, each attack on its own.

    In evaluation mode; only what is right is attacked, in batches that depend on the input's shape
    alone. The starting points depend on ``seed``, the attack's place and the batch.
    """
    pixels = Pixels(feed)
    count = len(feed) if ids is None else len(ids)
    targets = feed.targets if ids is None else feed.targets[torch.from_numpy(ids).to(feed.device)]
    held = torch.zeros(len(attacks), dtype=torch.int64, device=feed.device)
    predicted: list[Tensor] = []
    done = 0

    def logits(x: Tensor) -> Tensor:
        found: Tensor = net.head(net.features(pixels.inputs(x)))
        return found

    with evaluation_mode(net), feed.compute.autocast():
        for batch, raw in enumerate(feed.raw_batches(ids, evaluation_batch(feed.input_shape))):
            x, y = feed.normalise(raw), targets[done : done + len(raw)]
            classes = net.head(net.features(x)).argmax(1)
            predicted.append(classes.to(torch.int32))
            right = classes == y
            clean, wanted = pixels.pixels(x[right]), y[right]
            for place, (attack, loss) in enumerate(attacks.values()):
                generator = torch.Generator(feed.device)
                generator.manual_seed(derive(seed, "analysis", "attack", place, batch))
                if len(wanted):
                    found = attack(logits, loss(wanted), clean, generator)
                    held[place] += (~fooled(logits(found), wanted)).sum()
            done += len(raw)
    shares = {name: int(n) / count for name, n in zip(attacks, held.tolist(), strict=True)}
    return torch.cat(predicted).cpu().numpy(), shares
