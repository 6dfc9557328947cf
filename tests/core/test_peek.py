"""Scores read here or by another process: the same numbers as the whole table says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core import peek
from core.artifacts import peek_scores, read_scores
from core.errors import RunFailure, UserError
from core.runs import Run

RUN = Run(Path(__file__).parents[1] / "journals" / "finished")


@pytest.mark.parametrize("small", [0, 1 << 30], ids=["another process", "here"])
def test_what_is_peeked_at_is_what_the_table_says(
    small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peek, "_SMALL", small)
    whole, found = read_scores(RUN, 0), peek_scores(RUN, 0)
    assert set(found) == set(whole) - {"id", "path", "source"} | {"scored"}
    assert np.array_equal(found["scored"], whole["source"] == "scored")
    assert 0 < found["scored"].sum() < len(found["scored"])
    for name in set(found) - {"scored"}:
        np.testing.assert_array_equal(found[name], whole[name])
    assert np.isnan(found["dynamic_uncertainty_predicted"]).any()  # null is NaN
    assert {str(c.dtype) for c in found.values()} == {"bool", "int32", "float32"}
    assert isinstance(found["label"], np.memmap) == (small == 0)


@pytest.mark.parametrize("small", [0, 1 << 30], ids=["another process", "here"])
def test_a_file_that_is_no_table_is_one_line(
    tmp_path: Path, small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peek, "_SMALL", small)
    file = tmp_path / "scores" / "seed-0.parquet"
    file.parent.mkdir()
    file.write_bytes(b"no parquet")
    with pytest.raises(RunFailure, match=r"seed-0\.parquet cannot be read: ArrowInvalid") as caught:
        peek_scores(Run(tmp_path), 0)
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="has no scores/seed-1"):
        peek_scores(Run(tmp_path), 1)
