"""Conformance kit of model plug-ins.

Register the plug-in (entry point ``prunectl.models``, or a file in ``core/models``), then::

    class TestMine(ModelConformance):
        name = "mine"
        input_shapes = ((3, 32, 32),)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core import registry
from core.models.base import Net
from core.models.build import build_net, construct
from core.spec import ModelSpec
from core.training.evaluate import evaluation_mode
from core.training.flops import flops_per_sample


@dataclass(frozen=True)
class PlainShape:
    """What a net has to know of the data."""

    input_shape: tuple[int, ...]
    classes: tuple[str, ...] = ("a", "b", "c", "d", "e")


class ModelConformance:
    """Inherit, name the plug-in and the shapes it must take; pytest finds the tests."""

    name: str
    input_shapes: tuple[tuple[int, ...], ...] = ((1, 8, 8), (3, 32, 32))
    params: Mapping[str, Any] = {}

    def test_logits_are_the_head_of_the_features(self) -> None:
        for shape in self.input_shapes:
            net, x = self._net(shape), _inputs(shape)
            with evaluation_mode(net):
                features, logits = net.features(x), net(x)
                assert features.shape == (len(x), net.head.in_features)
                assert net.head.in_features == net.embedding_dim
                assert logits.shape == (len(x), len(PlainShape(shape).classes))
                torch.testing.assert_close(logits, net.head(features))
                assert bool(logits.isfinite().all())

    def test_weights_depend_on_seed_and_role_alone(self) -> None:
        shape = self.input_shapes[0]
        first = self._net(shape)
        before = torch.get_rng_state()
        again = self._net(shape)
        assert torch.equal(before, torch.get_rng_state()), "torch's generator was used"
        assert _equal(first, again)
        assert not _equal(first, self._net(shape, seed=1))
        assert not _equal(first, self._net(shape, role="retraining"))

    def test_evaluation_is_repeatable_and_sees_one_sample_at_a_time(self) -> None:
        shape = self.input_shapes[0]
        net, x = self._net(shape), _inputs(shape)
        with evaluation_mode(net):
            whole = net(x)
            assert torch.equal(whole, net(x))
            single = torch.cat([net(x[i : i + 1]) for i in range(len(x))])
        torch.testing.assert_close(single, whole, rtol=1e-3, atol=1e-4)

    def test_every_weight_learns(self) -> None:
        shape = self.input_shapes[0]
        net, x = self._net(shape), _inputs(shape)
        torch.autograd.backward(F.cross_entropy(net.train()(x), torch.arange(len(x)) % 5))
        idle = [n for n, p in net.named_parameters() if p.requires_grad and p.grad is None]
        assert not idle, f"no gradient reaches {idle}"

    def test_the_state_is_all_of_the_net(self) -> None:
        shape = self.input_shapes[0]
        net, other, x = self._net(shape), self._net(shape, seed=1), _inputs(shape)
        with torch.no_grad():
            net.train()(x)
        other.load_state_dict(net.state_dict())
        with evaluation_mode(net), evaluation_mode(other):
            assert torch.equal(net(x), other(x))

    def test_operations_can_be_counted(self) -> None:
        for shape in self.input_shapes:
            found = flops_per_sample(lambda: construct(self._spec(), PlainShape(shape)), shape)  # noqa: B023
            assert 0 < found.forward < found.training

    def _spec(self) -> ModelSpec:
        options = registry.validate_params("model", self.name, dict(self.params))
        return ModelSpec.model_validate({"name": self.name, **options})

    def _net(self, shape: tuple[int, ...], seed: int = 0, role: str = "scoring") -> Net:
        return build_net(self._spec(), PlainShape(shape), seed, role)


def _inputs(shape: tuple[int, ...]) -> Tensor:
    x = torch.randn(6, *shape, generator=torch.Generator().manual_seed(0))
    return x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x


def _equal(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)
