"""Plug-ins are listed and described without importing them, and misspelt names are helped."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import ValidationError

from core import registry
from core.errors import UserError

PLUGIN = '''"""Scores everything alike.

More words.
"""

from dataclasses import dataclass

import a_module_that_does_not_exist

VERSION = 7
PRESETS = {"paper": {"record": "eval_pass"}}
COMPUTED = len(PRESETS)
lower = 3


@dataclass(frozen=True)
class Params:
    """Options."""

    depth: int
    """How deep."""
    rate: float = 0.5
    mode: Literal["a", "b"] = "a"
    """Which way."""
    sizes: tuple[int, ...] = (1, 2)
    limit: int | None = None


def make(m, classes, epochs, spec, device):
    return None
'''


@pytest.fixture
def third_party(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A score plug-in of somebody else, registered as an entry point."""
    file = tmp_path / "somebodys_score.py"
    file.write_text(PLUGIN, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    points = [
        EntryPoint("alike", "somebodys_score", "prunectl.scores"),
        EntryPoint("gone", "somebodys_missing_module", "prunectl.scores"),
    ]
    monkeypatch.setattr(
        registry,
        "entry_points",
        lambda group: [p for p in points if p.group == group],
    )
    registry._third_party.cache_clear()
    yield file
    registry._third_party.cache_clear()


@pytest.mark.parametrize(
    ("kind", "some"),
    [
        ("dataset", {"digits", "cifar10", "arrays"}),
        ("model", {"convnet", "linear", "resnet18", "resnet50"}),
        ("paradigm", {"supervised"}),
        ("score", {"dynamic_uncertainty", "el2n"}),
        ("extrapolator", {"knn"}),
        ("policy", {"top_k", "class_balanced", "random"}),
    ],
)
def test_what_ships_is_listed_and_helpers_are_not(kind: registry.Kind, some: set[str]) -> None:
    found = registry.names(kind)
    assert some <= set(found)
    assert list(found) == sorted(found)
    assert not any(n.startswith("_") or n in ("base", "build", "choose", "bank") for n in found)


def test_every_plugin_says_what_it_is_in_its_first_line() -> None:
    for kind in registry.KINDS:
        for name in registry.names(kind):
            about = registry.describe(kind, name)
            assert about.doc.splitlines()[0].strip(), (kind, name)
            assert all(p.help for p in about.params), (kind, name)


def test_a_wrong_name_gets_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'el2n'") as caught:
        registry.describe("score", "el2nn")
    assert caught.value.exit_code == 2
    with pytest.raises(UserError, match="valid: .*knn"):
        registry.describe("extrapolator", "zzzz")


def test_a_file_is_read_without_being_run(third_party: Path) -> None:
    about = registry.describe("score", "alike")
    assert about.doc.startswith("Scores everything alike.")
    assert about.constants == {"VERSION": 7, "PRESETS": {"paper": {"record": "eval_pass"}}}
    assert about.version.startswith("alike:7:")
    shown = [(p.name, p.annotation, p.default, p.help) for p in about.params]
    assert shown == [
        ("depth", int, ..., "How deep."),
        ("rate", float, 0.5, ""),
        ("mode", Literal["a", "b"], "a", "Which way."),
        ("sizes", tuple[int, ...], (1, 2), ""),
        ("limit", int | None, None, ""),
    ]


def test_the_version_follows_the_source(third_party: Path) -> None:
    before = registry.describe("score", "alike").version
    third_party.write_text(PLUGIN.replace("return None", "return 0"), encoding="utf-8")
    assert registry.describe("score", "alike").version != before


def test_options_are_checked_against_the_declaration(third_party: Path) -> None:
    filled = registry.validate_params("score", "alike", {"depth": 3, "rate": "1e-3"})
    assert filled == {"depth": 3, "rate": 1e-3, "mode": "a", "sizes": (1, 2), "limit": None}
    for bad in ({}, {"depth": "deep"}, {"depth": 1, "mode": "c"}, {"depth": 1, "other": 1}):
        with pytest.raises(ValidationError):
            registry.validate_params("score", "alike", bad)
    assert registry.param_names("score", "alike") == {"depth", "rate", "mode", "sizes", "limit"}


def test_entry_points_join_the_list(third_party: Path) -> None:
    assert {"alike", "gone", "el2n"} <= set(registry.names("score"))
    assert "alike" not in registry.names("policy")
    with pytest.raises(UserError, match="missing module somebodys_missing_module"):
        registry.describe("score", "gone")
    with pytest.raises(ModuleNotFoundError, match="a_module_that_does_not_exist"):
        registry.load("score", "alike")  # only loading runs the file


def test_loading_gives_the_module() -> None:
    module: Any = registry.load("policy", "top_k")
    assert callable(module.select)


def test_an_unusable_annotation_is_an_error(third_party: Path) -> None:
    third_party.write_text(PLUGIN.replace("depth: int", "depth: object"), encoding="utf-8")
    registry._read.cache_clear()
    with pytest.raises(UserError, match="annotation object"):
        registry.describe("score", "alike")


def test_listing_and_describing_import_nothing_heavy() -> None:
    code = """
import sys
from core import registry
for kind in registry.KINDS:
    for name in registry.names(kind):
        about = registry.describe(kind, name)
        if all(p.default is not ... for p in about.params):
            registry.validate_params(kind, name, {})
heavy = {"torch", "torchvision", "sklearn", "scipy", "faiss", "pyarrow"} & set(sys.modules)
plugins = [m for m in sys.modules if m.startswith(("core.scores.", "core.models.", "core.data."))]
sys.exit(f"imported {sorted(heavy)} {plugins}" if heavy or plugins else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
