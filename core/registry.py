"""Names to plug-ins: one file is one plug-in.

Three grains, so that listing twelve scores imports none of them: :func:`names` looks at file names,
:func:`describe` reads docstring, ``class Params`` and literal constants with ``ast``, :func:`load`
imports one module (in the worker). Third parties register a module under the entry-point groups
``prunectl.datasets``, ``.models``, ``.paradigms``, ``.scores``, ``.extrapolators``, ``.policies``.
A model may also be a function in an installed package, named ``package.module:function``.
"""

from __future__ import annotations

import ast
import importlib
import importlib.machinery
import importlib.util
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, Literal, get_args

from pydantic import ConfigDict, Field, create_model
from pydantic.main import BaseModel

from core.errors import UserError, nearest
from core.plugin_source import source_hash

Kind = Literal["dataset", "model", "paradigm", "score", "extrapolator", "policy"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_PACKAGE: Mapping[Kind, str] = {
    "dataset": "core.data",
    "model": "core.models",
    "paradigm": "core.paradigms",
    "score": "core.scores",
    "extrapolator": "core.extrapolators",
    "policy": "core.selection",
}
# The name a module must define at its top level to be a plug-in of the kind.
_ENTRY: Mapping[Kind, frozenset[str]] = {
    "dataset": frozenset({"prepare"}),
    "model": frozenset({"build"}),
    "paradigm": frozenset({"Paradigm", "make"}),
    "score": frozenset({"make"}),
    "extrapolator": frozenset({"Extrapolator", "make"}),
    "policy": frozenset({"select"}),
}
_GROUP: Mapping[Kind, str] = {
    kind: "prunectl." + ("policies" if kind == "policy" else kind + "s") for kind in KINDS
}


_OWN = re.compile(r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$")


@dataclass(frozen=True)
class Param:
    """One option of a plug-in, as declared in its ``class Params``."""

    name: str
    annotation: Any
    default: Any
    """Ellipsis where there is none and the option must be given."""
    help: str

    @property
    def required(self) -> bool:
        """Whether the option must be given."""
        return self.default is ...


@dataclass(frozen=True)
class Description:
    """What can be said of a plug-in without importing it."""

    kind: Kind
    name: str
    module: str
    file: Path
    doc: str
    params: tuple[Param, ...] = ()
    constants: Mapping[str, Any] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """Name, declared version and source, helpers beside it included: what a stage key
        hashes of a plug-in."""
        source = source_hash(self.module, self.file)
        return f"{self.name}:{self.constants.get('VERSION', 1)}:{source}"


def names(kind: Kind) -> tuple[str, ...]:
    """Registered names of a kind, sorted."""
    return tuple(sorted({*_builtin(kind), *_third_party(kind)}))


def is_own(kind: Kind, name: str) -> bool:
    """Whether a name is that of a user's own function, ``package.module:function``."""
    return kind == "model" and _OWN.match(name) is not None


def check_name(kind: Kind, name: str) -> str:
    """What is wrong with a name, empty when nothing is. Imports nothing."""
    if name in names(kind):
        return ""
    if not is_own(kind, name):
        return f"no {kind} is called '{name}'; {nearest(name, names(kind))}"
    try:
        _own(kind, name)
    except UserError as error:
        return str(error)
    return ""


def describe(kind: Kind, name: str) -> Description:
    """Read one plug-in's file. Unknown names: UserError with the nearest one."""
    if is_own(kind, name):
        return _own(kind, name)
    if name in _builtin(kind):
        return _read(kind, name, f"{_PACKAGE[kind]}.{name}", _builtin(kind)[name])
    if name in _third_party(kind):
        module = _third_party(kind)[name]
        spec = importlib.util.find_spec(module)
        if spec is None or spec.origin is None:
            raise UserError(f"the {kind} plug-in '{name}' names a missing module {module}")
        return _read(kind, name, module, Path(spec.origin))
    raise UserError(f"no {kind} is called '{name}'", nearest(name, names(kind)))


def load(kind: Kind, name: str) -> ModuleType:
    """Import the chosen plug-in's module. For workers."""
    return importlib.import_module(describe(kind, name).module)


def validate_params(kind: Kind, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The plug-in's options, defaults filled in; pydantic's ValidationError for a wrong one."""
    model = _params_model(describe(kind, name))
    return model(**given).model_dump()


def param_names(kind: Kind, name: str) -> frozenset[str]:
    """Names of a plug-in's own options."""
    return frozenset(p.name for p in describe(kind, name).params)


def _own(kind: Kind, name: str) -> Description:
    """The file of a user's own function, the only one that is read for its description."""
    module, _, function = name.partition(":")
    file = _module_file(module)
    if file is None:
        todo = "install the package it is in; files beside a preset are not looked at"
        raise UserError(f"there is no module {module}", todo)
    try:
        bound = _bound(ast.parse(file.read_text(encoding="utf-8")))
    except (SyntaxError, UnicodeDecodeError) as error:
        raise UserError(f"{file} is no valid Python: {error}", "correct it") from None
    if function not in bound:
        raise UserError(f"{module} has no function '{function}'", nearest(function, bound))
    return _read(kind, name, module, file)


def _module_file(module: str) -> Path | None:
    """Where an installed module's source lies, found without importing its packages."""
    path: list[str] | None = None
    spec = None
    parts = module.split(".")
    for end in range(1, len(parts) + 1):
        spec = importlib.machinery.PathFinder.find_spec(".".join(parts[:end]), path)
        if end == 1 and spec is None:  # an editable installation has a finder of its own
            spec = importlib.util.find_spec(parts[0])
        if spec is None:
            return None
        path = list(spec.submodule_search_locations or ())
    found = spec is not None and spec.origin is not None and spec.origin.endswith(".py")
    return Path(str(spec.origin)) if spec is not None and found else None


def _bound(tree: ast.Module) -> set[str]:
    """Names that a module's top level defines, assigns or imports."""
    found = _top_level(tree)
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


@lru_cache
def _builtin(kind: Kind) -> Mapping[str, Path]:
    folder = Path(__file__).parent / _PACKAGE[kind].split(".")[1]
    found = {}
    for file in sorted(folder.glob("*.py")):
        if file.stem.startswith("_") or file.stem == "base":
            continue
        if _ENTRY[kind] & _top_level(ast.parse(file.read_text(encoding="utf-8"))):
            found[file.stem] = file
    return MappingProxyType(found)


@lru_cache
def _third_party(kind: Kind) -> Mapping[str, str]:
    return MappingProxyType({e.name: e.value for e in entry_points(group=_GROUP[kind])})


def _top_level(tree: ast.Module) -> set[str]:
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}


@lru_cache
def _read(kind: Kind, name: str, module: str, file: Path) -> Description:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    doc = (ast.get_docstring(tree) or "").strip()
    params: tuple[Param, ...] = ()
    constants: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == "Params":
            params = tuple(_params_of(node))
        elif target := _assigned_constant(node):
            try:
                constants[target[0]] = ast.literal_eval(target[1])
            except ValueError:
                continue  # computed, so not something a description can show
    return Description(kind, name, module, file, doc, params, MappingProxyType(constants))


def _assigned_constant(node: ast.stmt) -> tuple[str, ast.expr] | None:
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        target, value = node.targets[0], node.value
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
        target, value = node.target, node.value
    else:
        return None
    return (target.id, value) if target.id.isupper() else None


def _params_of(cls: ast.ClassDef) -> list[Param]:
    found = []
    for node, after in zip(cls.body, [*cls.body[1:], None], strict=True):
        if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)):
            continue
        text = ""
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            text = str(after.value.value)
        default = ast.literal_eval(node.value) if node.value is not None else ...
        found.append(Param(node.target.id, _annotation(node.annotation), default, text))
    return found


_SIMPLE = {"int": int, "float": float, "bool": bool, "str": str, "None": None}


def _annotation(node: ast.expr) -> Any:
    """The type an annotation names. Only what a YAML value can be is allowed."""
    if isinstance(node, ast.Constant) and node.value is None:
        return None
    if isinstance(node, ast.Name) and node.id in _SIMPLE:
        return _SIMPLE[node.id]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _annotation(node.left) | _annotation(node.right)
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        if node.value.id == "Literal":
            inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            return Literal[tuple(ast.literal_eval(i) for i in inner)]  # noqa: UP007
        if node.value.id == "list":
            return list[_annotation(node.slice)]  # type: ignore[misc]  # built at run time
        if node.value.id == "tuple" and isinstance(node.slice, ast.Tuple):
            return tuple[_annotation(node.slice.elts[0]), ...]  # type: ignore[misc]  # as above
    raise UserError(f"a plug-in option has the annotation {ast.unparse(node)}", "use plain types")


@lru_cache
def _params_model_cached(kind: Kind, name: str, file: Path) -> type[BaseModel]:
    about = describe(kind, name)
    limits: Mapping[str, Mapping[str, Any]] = about.constants.get("LIMITS", {})
    fields: dict[str, Any] = {
        p.name: (p.annotation, Field(p.default, description=p.help, **limits.get(p.name, {})))
        for p in about.params
    }
    return create_model(f"{name}_params", __config__=ConfigDict(extra="forbid"), **fields)


def _params_model(about: Description) -> type[BaseModel]:
    return _params_model_cached(about.kind, about.name, about.file)
