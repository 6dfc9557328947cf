"""One file from the network, checked against its published checksum before it has its name."""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from core.errors import MachineError

TIMEOUT_SECONDS = 30.0
_BLOCK_BYTES = 1 << 20


def download(url: str, file: Path, md5: str, todo: str, check: Callable[[], None]) -> None:
    """Get ``url`` as ``file``, through ``.NAME.part``, which is removed whatever happens.

    ``check`` is called often and may raise to give up; ``todo`` is what a user can do without a
    network. MachineError when there is no network or what came is not the published file.
    """
    partial = file.with_name(f".{file.name}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        found = _fetch(url, partial, check)
        if found != md5:
            size = partial.stat().st_size
            what = f"what {url} gave is not the published file ({size:,} bytes, wrong checksum)"
            raise MachineError(what, todo)
        os.replace(partial, file)
    except (
        urllib.error.URLError,
        http.client.HTTPException,
        TimeoutError,
        ConnectionError,
    ) as error:
        why = getattr(error, "reason", None) or error
        raise MachineError(f"cannot download {url}: {why}", todo) from error
    finally:
        partial.unlink(missing_ok=True)


def md5_of(file: Path) -> str:
    """MD5 (hex) of a file: what the data's authors published, no protection against an enemy."""
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _fetch(url: str, partial: Path, check: Callable[[], None]) -> str:
    """Write what comes, and give its MD5."""
    summed = hashlib.md5(usedforsecurity=False)
    asked = urllib.request.Request(url, headers={"User-Agent": "prunectl"})
    with (
        urllib.request.urlopen(asked, timeout=TIMEOUT_SECONDS) as answer,
        partial.open("wb") as out,
    ):
        while block := answer.read(_BLOCK_BYTES):
            check()
            summed.update(block)
            out.write(block)
        out.flush()
        os.fsync(out.fileno())
    return summed.hexdigest()
