"""The page ``docs/methods.md``, made from what the plug-ins say of themselves.

``python -m core.methods`` writes it (``make docs``); a test fails when it is stale. Nothing is
imported: docstrings and literal constants are read from the files.
"""

from __future__ import annotations

import re
from pathlib import Path

from core import registry
from core.needs import score_kind
from core.registry import Description, Kind

PAGE = Path(__file__).parents[1] / "docs" / "methods.md"
_ARXIV = re.compile(r"\b(\d{4}\.\d{5})\b")
_KINDS = {
    "trained": "watches the training of the subset; the others' scores are extrapolated",
    "embedded": "made of the embeddings of all samples; nothing to extrapolate",
    "given": "needs no net; nothing to extrapolate",
}

_HEAD = """# Methods

Made from the plug-ins by `python -m core.methods`; do not edit. `prunectl plugins` lists the same
names with their options. What is new in a published method's settings here, and where public code
departs from its paper, stands in the file of each (`core/scores/`, `core/selection/`,
`core/extrapolators/`).
"""


def text() -> str:
    """The whole page."""
    parts = [
        _HEAD,
        "## Scores\n",
        "p is the softmax, z a logit, y the own label; one end of a score is important and kept.\n",
        *(_score(_about("score", name)) for name in _own("score")),
        "## Selection policies\n",
        "n of N samples are kept at rate r; s is the score, turned so that higher is kept.\n",
        *(_policy(_about("policy", name)) for name in _own("policy")),
        "## Extrapolators\n",
        "They predict the scores of all unscored samples from the scored ones; settings are chosen"
        " on\na fold of the scored samples.\n",
        *(_extrapolator(_about("extrapolator", name)) for name in _own("extrapolator")),
    ]
    return "\n".join(parts)


def _own(kind: Kind) -> list[str]:
    """Built-in plug-ins: the page must not depend on what else is installed."""
    return [n for n in registry.names(kind) if _about(kind, n).module.startswith("core.")]


def _about(kind: Kind, name: str) -> Description:
    return registry.describe(kind, name)


def _score(about: Description) -> str:
    constants = about.constants
    presets = ", ".join(f"`{p}`" for p in constants.get("PRESETS", {}))
    return _entry(
        about,
        [
            ("formula", f"`{constants['FORMULA']}`"),
            ("keeps", f"the {constants['DIRECTION']} end"),
            ("kind", f"{score_kind(about.name)}: {_KINDS[score_kind(about.name)]}"),
            ("reads", constants["READS"]),
            ("published settings", presets),
            ("use it for", constants["WHEN"]),
        ],
    )


def _policy(about: Description) -> str:
    constants = about.constants
    needs = list(constants.get("NEEDS", ()))
    if "COMPANION" in constants:
        needs.append(f"the score named by `{constants['COMPANION']}`")
    return _entry(
        about,
        [
            ("rule", constants["FORMULA"]),
            ("reads beside the score", ", ".join(needs)),
            ("use it for", constants["WHEN"]),
        ],
    )


def _extrapolator(about: Description) -> str:
    needs = ", ".join(about.constants.get("NEEDS", ()))
    return _entry(about, [("reads beside embeddings", needs)])


def _entry(about: Description, rows: list[tuple[str, str]]) -> str:
    first = about.doc.split("\n\n", 1)[0].replace("\n", " ")
    sources = ", ".join(f"arXiv {i}" for i in dict.fromkeys(_ARXIV.findall(about.doc)))
    options = ", ".join(f"`{p.name}` ({p.default!r})" for p in about.params if not p.required)
    listed = [*rows, ("options", options), ("source", sources)]
    lines = [f"- {name}: {value}" for name, value in listed if value]
    return "\n".join([f"### `{about.name}`", "", first, "", *lines, ""])


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
