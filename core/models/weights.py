"""Initial weights from a local file of tensors; nothing in it can run code."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn

from core.errors import UserError
from core.files import sha256


def fingerprint(file: Path) -> str:
    """SHA-256 of the file: what a key hashes of it, wherever it lies. UserError without one."""
    place = _located(file)
    about = place.stat()
    return _sha256(place, about.st_size, about.st_mtime_ns)


def load_weights(net: nn.Module, file: Path, name: str) -> None:
    """Fill ``net`` with the tensors of a file, named as in the net or as where it came from.

    The head stays as it is drawn when the file has none or one for another number of classes.
    UserError for a file that is none, missing and left-over tensors, and other shapes.
    """
    state = _own_names(net, read_weights(file))
    wanted: dict[str, Tensor] = net.state_dict()
    head: dict[str, Tensor] = {
        key: wanted[key] for key in ("head.weight", "head.bias") if key in wanted
    }
    if _other_head(state, head):
        state = {**{k: v for k, v in state.items() if not k.startswith("head.")}, **head}
    _compare(state, wanted, file, name)
    net.load_state_dict({key: state.get(key, wanted[key]) for key in wanted})


def read_weights(file: Path) -> dict[str, Tensor]:
    """The tensors of a .pt or .pth file by name; one level of ``state_dict`` is opened."""
    place = _located(file)
    try:
        found: Any = torch.load(place, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        what = f"{file} holds no plain tensors, or is damaged"
        raise UserError(
            what, "save a state_dict with torch.save(net.state_dict(), FILE)"
        ) from error
    if isinstance(found, Mapping) and isinstance(found.get("state_dict"), Mapping):
        found = found["state_dict"]
    if not isinstance(found, Mapping) or not all(isinstance(v, Tensor) for v in found.values()):
        what = f"{file} is no mapping of names to tensors"
        raise UserError(what, "save a state_dict with torch.save(net.state_dict(), FILE)")
    return {str(key): value for key, value in found.items()}


def _own_names(net: nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Names as our net has them: a net that was cut calls its classifier ``head``, and the rest
    ``trunk``."""
    head = getattr(net, "head_name", None)
    if head is None or any(key.startswith("trunk.") for key in state):
        return dict(state)
    renamed = {}
    for key, value in state.items():
        inside = key.startswith(f"{head}.")
        renamed[f"head{key.removeprefix(head)}" if inside else f"trunk.{key}"] = value
    return renamed


def _other_head(state: Mapping[str, Tensor], head: Mapping[str, Tensor]) -> bool:
    """Whether the file has no head, or one of the same inputs for other classes."""
    weight = state.get("head.weight")
    if weight is None:
        return True
    ours = head["head.weight"]
    return weight.dim() == 2 and weight.shape[1] == ours.shape[1] and len(weight) != len(ours)


def _compare(
    state: Mapping[str, Tensor], wanted: Mapping[str, Tensor], file: Path, name: str
) -> None:
    # Counters of batches are absent in files of old torch versions and change no output.
    missing = [k for k in wanted if k not in state and not k.endswith("num_batches_tracked")]
    extra = [k for k in state if k not in wanted]
    other = [k for k in wanted if k in state and state[k].shape != wanted[k].shape]
    if other:
        shapes = f"{other[0]} is {list(state[other[0]].shape)}, not {list(wanted[other[0]].shape)}"
        what = f"{file} does not fit model '{name}': {shapes}{_more(other)}"
    elif missing:
        what = f"{file} does not fit model '{name}': it lacks {missing[0]}{_more(missing)}"
    elif extra:
        what = f"{file} does not fit model '{name}', which has no {extra[0]}{_more(extra)}"
    else:
        return
    raise UserError(what, "give weights of the same model, options and picture size")


def _more(keys: list[str]) -> str:
    return f" (and {len(keys) - 1} more)" if len(keys) > 1 else ""


def _located(file: Path) -> Path:
    place = file.expanduser().absolute()
    if not place.is_file():
        raise UserError(f"there is no weights file {place}", "give a .pt or .pth file")
    return place


@lru_cache
def _sha256(file: Path, size: int, changed: int) -> str:
    return sha256(file)
