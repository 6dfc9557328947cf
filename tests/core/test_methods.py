"""The page of methods is fresh and names every plug-in with what a user asks."""

from __future__ import annotations

import pytest

from core import registry
from core.methods import PAGE, text


def test_the_page_is_fresh() -> None:
    assert PAGE.read_text(encoding="utf-8") == text(), "run `make docs`"


@pytest.mark.parametrize("kind", ["score", "policy", "extrapolator"])
def test_every_plug_in_is_on_it(kind: registry.Kind) -> None:
    page = text()
    for name in registry.names(kind):
        assert f"### `{name}`\n" in page


def test_a_score_says_what_it_is_and_where_it_comes_from() -> None:
    entry = text().split("### `tdds`\n")[1].split("###")[0]
    wanted = [
        "formula: `S = sum_k", "keeps: the high end", "reads: all probabilities",
        "`cifar100_r90`", "use it for: high rates", "source: arXiv 2311.13613",
    ]  # fmt: skip
    for word in wanted:
        assert word in entry, word
