"""Finding a spec by path or by preset name, without reading what nobody asked for.

Looked up in this order: a path, ``$PRUNECTL_PRESETS`` (one or more folders), the user's
``~/.config/prunectl/presets``, the shipped ones (``prunectl/presets`` in a wheel, ``presets`` at
the top of a checkout). The first folder that has the name wins.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import UserError, nearest

if TYPE_CHECKING:
    from core.spec import Spec

_SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class Preset:
    """One preset file."""

    name: str
    path: Path
    source: str
    """Which of the folders it is from: environment, user or shipped."""

    def about(self) -> str:
        """What the file says of itself: its first comment line."""
        try:
            with open(self.path, encoding="utf-8") as file:
                first = file.readline().strip()
        except (OSError, UnicodeDecodeError):
            return ""
        return first.lstrip("# ").strip() if first.startswith("#") else ""


def folders() -> list[tuple[str, Path]]:
    """Where presets are looked for, as (source, folder), in order; they need not exist."""
    given = [p for p in os.environ.get("PRUNECTL_PRESETS", "").split(os.pathsep) if p]
    config = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser()
    return [
        *(("environment", Path(p).expanduser().absolute()) for p in given),
        ("user", config / "prunectl" / "presets"),
        ("shipped", shipped_folder()),
    ]


def shipped_folder() -> Path:
    """The presets that came with this installation."""
    here = Path(__file__).resolve().parent
    packed = here / "presets"
    return packed if packed.is_dir() else here.parent / "presets"


def all_presets() -> list[Preset]:
    """Every preset by name; of equal names the one that a lookup finds."""
    found: dict[str, Preset] = {}
    for source, folder in folders():
        for file in _files(folder):
            found.setdefault(file.stem, Preset(file.stem, file, source))
    return sorted(found.values(), key=lambda p: p.name)


def find_preset(text: str) -> Path:
    """The file of a preset name or a path. Else UserError with the nearest name."""
    if text.endswith(_SUFFIXES) or os.sep in text:
        path = Path(text).expanduser().absolute()
        if not path.is_file():
            raise UserError(f"there is no file {text}", "`prunectl presets` lists the presets")
        return path
    known = {p.name: p.path for p in all_presets()}
    if text not in known:
        raise UserError(f"no preset is called '{text}'", nearest(text, known))
    return known[text]


def load_mapping(source: str | Path | Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """The mapping of a preset, file or mapping as it is written, and what to call it."""
    from core.spec_load import read_yaml

    if isinstance(source, Mapping):
        return dict(source), "the spec"
    path = find_preset(str(source))
    mapping = read_yaml(path)
    mapping.setdefault("name", path.stem)
    return mapping, path.name


def load_spec(
    source: str | Path | Mapping[str, Any],
    assignments: list[str] | None = None,
    *,
    device: str | None = None,
    seeds: int | None = None,
) -> Spec:
    """The complete spec of a preset, file or mapping, changed by ``section.key=value`` texts.

    ``seeds`` is their number: 0, 1, ... Problems are raised as one UserError listing them all.
    """
    from core.spec_load import parse_spec  # pydantic: not for listings
    from core.spec_set import override  # pydantic: not for listings

    mapping, where = load_mapping(source)
    mapping = override(mapping, assignments or [])
    if device is not None:
        mapping = override(mapping, [f"compute.device={device}"])
    if seeds is not None:
        if seeds < 1:
            raise UserError(f"--seeds {seeds}: at least one seed", "such as --seeds 3")
        mapping["seeds"] = list(range(seeds))
    return parse_spec(mapping, where)


def _files(folder: Path) -> Iterator[Path]:
    try:
        found = sorted(folder.iterdir())
    except OSError:
        return
    yield from (f for f in found if f.suffix in _SUFFIXES and f.is_file())
