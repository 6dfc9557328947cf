"""Devices, memory, operation counts, optimisers."""

from __future__ import annotations

import os
from typing import Any

import pytest
import torch
from torch import nn

from core.errors import MachineError, UserError
from core.models.build import construct
from core.recipe import OptimizerSpec
from core.spec import ComputeSpec
from core.training.devices import Compute, apply, is_out_of_memory, out_of_memory, resolve
from core.training.flops import flops_per_sample
from core.training.memory import PeakMemory, resident_bytes
from core.training.optimizer import make_optimizer


def compute(**given: Any) -> ComputeSpec:
    return ComputeSpec.model_validate(given)


def test_auto_is_the_best_there_is_and_bf16_only_on_cuda() -> None:
    found = resolve(compute())
    assert found.device.type == ("cuda" if torch.cuda.is_available() else found.device.type)
    assert (found.precision == "bf16") == (found.device.type == "cuda")
    assert resolve(compute(device="cpu", threads=3)).threads == 3
    assert resolve(compute(device="cpu")).threads >= 1


def test_a_missing_device_is_the_machine_s_fault() -> None:
    with pytest.raises(MachineError, match="no CUDA device 99"):
        resolve(compute(device="cuda:99"))


def test_bf16_on_the_cpu_is_refused() -> None:
    with pytest.raises(UserError, match="needs CUDA"):
        resolve(compute(device="cpu", precision="bf16"))


def test_apply_sets_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    try:
        apply(Compute(torch.device("cpu"), "fp32", 1, True))
        assert torch.get_num_threads() == 1
        assert torch.are_deterministic_algorithms_enabled()
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"  # what the user set stays
        apply(Compute(torch.device("cpu"), "fp32", 1, False))
        assert not torch.are_deterministic_algorithms_enabled()
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(strict)


def test_out_of_memory_is_told_from_other_errors() -> None:
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not is_out_of_memory(ValueError("out of memory"))
    assert "batch=64" in str(out_of_memory(torch.device("cpu"), 128))
    assert "batch" not in out_of_memory(torch.device("cpu"), 1).todo


def test_peak_memory_sees_what_was_allocated_in_between() -> None:
    device = torch.device("cpu")
    with PeakMemory(device) as peak:
        before = peak.bytes
        held = torch.ones(40_000_000)  # 160 MB
        while peak.bytes < before + 150_000_000:  # sampled: bounded by pytest's timeout
            held.add_(1)
        del held
    assert peak.bytes >= before + 150_000_000
    assert peak.bytes >= resident_bytes() // 4


def test_operations_of_a_linear_layer_are_counted_by_hand() -> None:
    found = flops_per_sample(lambda: nn.Linear(30, 7, bias=False), (30,))
    assert found.forward == 2 * 30 * 7
    assert found.training == 2 * found.forward  # forward and the gradient of the weights


def test_operations_of_the_convnet_are_counted_by_hand(make_bank: Any, convnet: Any) -> None:
    bank = make_bank(3, side=8, channels=3)
    found = flops_per_sample(lambda: construct(convnet, bank), bank.input_shape)
    convolutions = 64 * 9 * 3 * 4 + 16 * 9 * 4 * 8 + 4 * 9 * 8 * 16
    assert found.forward == 2 * (convolutions + 16 * 3)
    # backward: both gradients everywhere, except that the picture needs none
    assert found.training == 3 * found.forward - 2 * 64 * 9 * 3 * 4


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_optimisers_take_the_section_s_numbers(name: str) -> None:
    section = OptimizerSpec.model_validate(
        {"name": name, "lr": 0.3, "momentum": 0.8, "weight_decay": 0.01}
    )
    optimizer = make_optimizer(nn.Linear(2, 2), section)
    group = optimizer.param_groups[0]
    assert (group["lr"], group["weight_decay"]) == (0.3, 0.01)
    if name == "sgd":
        assert (group["momentum"], group["nesterov"]) == (0.8, True)
    else:
        assert group["betas"] == (0.8, 0.999)
    assert type(optimizer).__name__.lower() == name


def test_sgd_without_momentum_is_plain() -> None:
    section = OptimizerSpec.model_validate({"name": "sgd", "momentum": 0.0})
    assert make_optimizer(nn.Linear(2, 2), section).param_groups[0]["nesterov"] is False
