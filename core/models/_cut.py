"""A net of somebody else's making, cut in front of its classifier."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from core.errors import UserError
from core.models.base import Net


class CutNet(Net):
    """``trunk`` with its last linear layer taken out, and that layer as ``head``.

    ``head_name`` is what the trunk called it. Grey pictures are shown to a ``colour`` net thrice.
    """

    def __init__(self, trunk: nn.Module, head: nn.Linear, head_name: str, colour: bool) -> None:
        super().__init__()
        self.trunk, self.head, self.head_name, self.colour = trunk, head, head_name, colour

    def features(self, x: Tensor) -> Tensor:
        """What the trunk would hand to its classifier, ``[B, d]``."""
        if self.colour and x.shape[1] == 1:
            x = x.expand(-1, 3, -1, -1)
        embedding: Tensor = self.trunk(x)
        return embedding


def cut(net: nn.Module, name: str, classes: int, *, colour: bool = False) -> CutNet:
    """Take the last linear layer out of ``net`` (in the order its modules are registered).

    UserError when there is none or it has another number of outputs than ``classes``.
    """
    linear = [(key, part) for key, part in net.named_modules() if isinstance(part, nn.Linear)]
    if not linear or not linear[-1][0]:
        raise UserError(f"model '{name}' has no linear classifier on top of features", _ADVICE)
    head_name, head = linear[-1]
    if head.out_features != classes:
        what = f"model '{name}' ends in {head.out_features} outputs for {classes} classes"
        raise UserError(what, _ADVICE)
    owner, _, attribute = head_name.rpartition(".")
    setattr(net.get_submodule(owner), attribute, nn.Identity())
    return CutNet(net, head, head_name, colour)


def cut_checked(net: nn.Module, name: str, classes: int, input_shape: tuple[int, ...]) -> CutNet:
    """:func:`cut`, and a look whether head and features still make up the whole net.

    UserError when the net does something after its last linear layer or registers it elsewhere.
    """
    try:
        device = next(net.parameters()).device
    except StopIteration:
        device = torch.device("cpu")
    if device.type == "meta":  # it has shapes and no values: nothing to compare
        return cut(net, name, classes)
    x = torch.linspace(-1, 1, 2 * torch.Size(input_shape).numel(), device=device)
    x = x.reshape(2, *input_shape)
    training = net.training
    with torch.no_grad():
        before = net.eval()(x)
        found = cut(net, name, classes)
        after = found.eval()(x)
    found.train(training)
    if (
        not isinstance(before, Tensor)
        or before.shape != after.shape
        or not torch.allclose(before, after, rtol=1e-4, atol=1e-5)
    ):
        what = f"model '{name}' is more than features with a linear classifier on top"
        raise UserError(what, _ADVICE)
    return found


_ADVICE = "derive it from core.models.base.Net: features(x), and `head`, a torch.nn.Linear"
