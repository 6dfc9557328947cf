"""What an attack raises: one number a sample, ``[B]``, from logits ``[B, C]``."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

AttackLoss = Callable[[Tensor], Tensor]


def cross_entropy(targets: Tensor) -> AttackLoss:
    """Cross entropy to the targets, int64 ``[B]`` (1706.06083, eq. 2.1)."""
    return lambda logits: F.cross_entropy(logits.float(), targets, reduction="none")


def margin(targets: Tensor) -> AttackLoss:
    """How far the best wrong logit is above the right one (1608.04644, f6 with the sign turned):
    unlike cross entropy it does not flatten where the net is sure."""

    def loss(logits: Tensor) -> Tensor:
        wide, own = logits.float(), targets.unsqueeze(1)
        wrong = wide.scatter(1, own, float("-inf")).amax(1)
        return wrong - wide.gather(1, own).squeeze(1)

    return loss


def divergence(clean: Tensor) -> AttackLoss:
    """KL(softmax clean || softmax attacked), from the clean logits ``[B, C]`` (1901.08573)."""
    target = clean.detach().float().log_softmax(1)

    def loss(logits: Tensor) -> Tensor:
        attacked = logits.float().log_softmax(1)
        return (target.exp() * (target - attacked)).sum(1)

    return loss


def fooled(logits: Tensor, targets: Tensor) -> Tensor:
    """Which samples are not given their target, bool ``[B]``."""
    return torch.ne(logits.argmax(1), targets)
