"""Which device, precision and threads a run uses, and what running out of memory looks like."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import torch

from core.errors import MachineError, OutOfMemory, UserError
from core.spec import ComputeSpec

_OOM_TEXTS = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
    "failed to allocate",
)


@dataclass(frozen=True)
class Compute:
    """Resolved compute settings."""

    device: torch.device
    precision: Literal["fp32", "bf16"]
    threads: int
    deterministic: bool

    def autocast(self) -> AbstractContextManager[object]:
        """bf16 autocast where bf16 was chosen, else nothing."""
        if self.precision == "bf16":
            return torch.autocast(self.device.type, dtype=torch.bfloat16)
        return nullcontext()


def resolve(compute: ComputeSpec) -> Compute:
    """Fill in what is ``auto``. A device that is not there: MachineError; bf16 elsewhere than on
    CUDA: UserError."""
    device = torch.device(_auto_device() if compute.device == "auto" else compute.device)
    _check_present(device)
    precision = compute.precision
    if precision == "auto":
        precision = "bf16" if device.type == "cuda" else "fp32"
    if precision == "bf16" and device.type != "cuda":
        raise UserError(f"precision bf16 needs CUDA, the device is {device}", "use fp32 or auto")
    threads = compute.threads or _available_cores()
    return Compute(device, precision, threads, compute.deterministic)


def apply(compute: Compute) -> None:
    """Set threads and determinism of this process. Call before anything runs on the device."""
    torch.set_num_threads(compute.threads)
    # cuBLAS reads this once, when it makes its first handle.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(compute.deterministic, warn_only=True)
    # Filling fresh memory would find bugs, not make results repeatable, and costs time.
    flags: Any = torch.utils.deterministic  # its annotations lack this one
    flags.fill_uninitialized_memory = False
    torch.backends.cudnn.deterministic = compute.deterministic
    torch.backends.cudnn.benchmark = not compute.deterministic
    # fp32 means fp32; whoever wants speed has bf16.
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


def synchronize(device: torch.device) -> None:
    """Wait for the device, so that a clock read afterwards is true."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch says that memory ran out, on any device."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(part in text for part in _OOM_TEXTS)


def out_of_memory(device: torch.device, batch: int, key: str = "train.batch") -> OutOfMemory:
    """The error to raise, naming a batch size to try. Nothing is retried: another batch size
    would make other results."""
    todo = f"try {key}={batch // 2}" if batch > 1 else "use a smaller model or another device"
    return OutOfMemory(f"{device} ran out of memory with batches of {batch}", todo)


def _auto_device() -> str:
    if torch.cuda.is_available():
        return "cuda:0"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _check_present(device: torch.device) -> None:
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            have = f"this machine has {count}" if count else "this machine has none that torch sees"
            raise MachineError(f"no CUDA device {device.index or 0}: {have}", "use --device cpu")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise MachineError("no MPS device on this machine", "use --device cpu")


def _available_cores() -> int:
    """``OMP_NUM_THREADS`` where the user set it, else the cores this process may use, which in a
    container is fewer than the machine has."""
    asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    if asked.isdigit() and int(asked) > 0:
        return int(asked)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
