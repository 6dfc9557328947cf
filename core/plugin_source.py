"""What a plug-in's version hashes: its file, and what it imports of the private modules and the
other plug-ins beside it.

A module is private when its name begins with ``_``, and a plug-in when it has a function ``make``.
Imports are found with ``ast``, those inside functions too, and followed from one such module to the
next; nothing is imported.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path


def source_hash(module: str, file: Path) -> str:
    """16 hex digits over the sources of a module; of one without helpers, of its file."""
    sources = [path.read_bytes() for path in (file, *helper_files(module, file))]
    if len(sources) > 1:  # hashes, so that a line cannot move from one file to the next unseen
        sources = [hashlib.sha256(source).digest() for source in sources]
    return hashlib.sha256(b"".join(sources)).hexdigest()[:16]


def helper_files(module: str, file: Path) -> list[Path]:
    """Files of the private modules and plug-ins of the same package that a module imports, directly
    or through each other, by name."""
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    found: dict[str, Path] = {}
    waiting = [file]
    while waiting:
        for name in _imported(waiting.pop().read_bytes(), package):
            path = file.with_name(f"{name}.py")
            if name not in found and path != file and path.is_file() and _helps(path):
                found[name] = path
                waiting.append(path)
    return [found[name] for name in sorted(found)]


def _helps(path: Path) -> bool:
    """Whether a module is private or a plug-in."""
    return path.name.startswith("_") or _makes(path.read_bytes())


@lru_cache(maxsize=512)
def _makes(source: bytes) -> bool:
    """Whether a source defines ``make``."""
    body = ast.parse(source).body
    return any(isinstance(node, ast.FunctionDef) and node.name == "make" for node in body)


@lru_cache(maxsize=512)
def _imported(source: bytes, package: str) -> frozenset[str]:
    """Names of modules of ``package`` that a source in it imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        names |= set(_of_package(node, package))
    return frozenset(names - {"__init__"})


def _of_package(node: ast.AST, package: str) -> Iterator[str]:
    """First names below ``package`` that an import statement may mean."""
    if not package:
        return
    whole: list[str] = []
    if isinstance(node, ast.Import):
        whole = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        if node.level > 1:
            return
        base = [package] if node.level else []
        source = ".".join([*base, *([node.module] if node.module else [])])
        whole = [f"{source}.{alias.name}" for alias in node.names]
    for name in whole:
        if name.startswith(f"{package}."):
            yield name.removeprefix(f"{package}.").partition(".")[0]
