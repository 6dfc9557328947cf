"""A plug-in's version follows its file and the helpers that it imports, nothing else."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from core import registry
from core.plugin_source import helper_files, source_hash

PLUGIN = '''"""A score."""
from somebodys import _far
from somebodys._near import used
from somebodys.public import other
from somebodys.sibling import make as made
import _elsewhere


def make():
    from . import _late
    from ._later import much
    return _late
'''
FILES = {
    "score.py": PLUGIN,
    "_far.py": "import somebodys._further\nfrom somebodys import score\n",
    "_further.py": "from somebodys import _far\nfrom math import pi\n",
    "_near.py": "used = 1\n",
    "_late.py": "",
    "_later.py": "much = 2\n",
    "_unread.py": "from .. import _above\n",
    "_elsewhere.py": "",
    "sibling.py": "from somebodys import _low\ndef make():\n    return 3\n",
    "_low.py": "",
    "public.py": "from somebodys import _unread\nother = 1\n",
    "__init__.py": "",
}
READ = ["_far.py", "_further.py", "_late.py", "_later.py", "_low.py", "_near.py", "sibling.py"]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def _hash(package: Path) -> str:
    return source_hash("somebodys.score", package / "score.py")


def test_private_modules_and_plug_ins_are_found_through_each_other(package: Path) -> None:
    found = helper_files("somebodys.score", package / "score.py")
    assert [path.name for path in found] == READ


@pytest.mark.parametrize("name", FILES)
def test_the_hash_follows_what_is_read(package: Path, name: str) -> None:
    before = _hash(package)
    with (package / name).open("a") as file:
        file.write("# changed\n")
    assert (_hash(package) != before) == (name in ("score.py", *READ))


def test_a_line_that_moves_to_the_next_file_is_a_change(package: Path) -> None:
    before = _hash(package)
    (package / "_later.py").write_text("")
    (package / "_near.py").write_text("much = 2\nused = 1\n")
    assert _hash(package) != before


def test_without_helpers_it_is_the_hash_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "alone.py"
    file.write_text("from numpy import _core\nimport _beside\n")
    (tmp_path / "_beside.py").write_text("")  # a module without a package has nothing beside it
    expected = hashlib.sha256(file.read_bytes()).hexdigest()[:16]
    assert source_hash("alone", file) == source_hash("somebodys.alone", file) == expected


@pytest.mark.parametrize(
    ("kind", "name", "helpers"),
    [
        ("score", "loss", {"_span.py", "_sums.py"}),
        ("score", "el2n", set()),
        ("extrapolator", "ridge", {"_design.py"}),
        ("extrapolator", "geometry", {"_design.py", "trees.py"}),
        ("model", "resnet18", {"_resnet.py"}),
        ("policy", "beta", {"_draw.py"}),
    ],
)
def test_those_of_shipped_plugins(kind: registry.Kind, name: str, helpers: set[str]) -> None:
    about = registry.describe(kind, name)
    assert {path.name for path in helper_files(about.module, about.file)} >= helpers
    alone = hashlib.sha256(about.file.read_bytes()).hexdigest()[:16]
    assert about.version.endswith(f":{alone}") == (not helpers)


def test_the_first_file_of_a_package_is_in_the_package(package: Path) -> None:
    first = package / "__init__.py"
    first.write_text("from somebodys._near import used\nfrom . import _late\n")
    found = helper_files("somebodys", first)
    assert [path.name for path in found] == ["_late.py", "_near.py"]
