"""Blocks that follow from a limit of memory, and the peak that follows from the blocks."""

import subprocess
import sys

import numpy as np
import pytest

from core.errors import UserError
from core.extrapolators import extrapolate
from core.memory_limit import LEAST, blocks
from core.neighbors import BLOCK, search_rows
from core.testing.extrapolators import problem
from core.units import parse_size, size_text

M = 2**20
GIVEN = {"samples": 100_000, "scored": 10_000, "width": 512, "itemsize": 4, "k": 20}
PEAK = """
import sys
from pathlib import Path
import numpy as np
from core.extrapolators import extrapolate
def status(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(l.split()[1]) // 1024 for l in lines if l.startswith(key + ":"))
rng = np.random.default_rng(0)
x = rng.random((40_000, 512))
method = sys.argv[1]
options = {
    "knn": {"k": 5, "weights": "mean", "search": "exact"},
    "kernel": {"reach": 32, "bandwidth": 0.5},
    "ridge": {},
}[method]
def run(rows, scored, limit):
    extrapolate(rows, np.arange(scored), rng.random(scored), method=method, options=options,
                threads=1, max_memory=limit)
run(x[:1000], 500, None)
for limit in map(int, sys.argv[2:]):
    Path("/proc/self/clear_refs").write_text("5")
    before = status("VmRSS")
    run(x, 500, limit * 2**20)
    print(status("VmHWM") - before)
"""


@pytest.mark.parametrize(
    ("text", "size"), [("2G", 2 * 2**30), ("512M", 512 * M), ("1.5gb", 1536 * M), ("8 KiB", 8192)]
)
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["2", "G", "-1G", "2 apples", ""])
def test_what_is_no_size(text):
    with pytest.raises(ValueError, match="512M"):
        parse_size(text)


def test_text_is_never_less_than_what_is_needed():
    assert size_text(M + 1, up=True) == "2M" and size_text(M + 1) == "1M"


def test_blocks_grow_with_the_limit_up_to_a_bound():
    # base 10,000 * 512 * 4 = 20.48 MB; row 512 * 13 + 96 * 20 = 8576; answers 8 MB;
    # fold 12 * 20 * 2000 = 480 kB; libraries 64 MiB
    held = 20_480_000 + 8_000_000 + 480_000 + 64 * M
    assert blocks(held + 1000 * 8576, **GIVEN) == (1000, 1000)
    assert blocks(held + 5000 * 8576, **GIVEN) == (BLOCK, 5000)
    assert blocks(2**40, **GIVEN) == (BLOCK, 65536)
    assert blocks(held + LEAST * 8576, **GIVEN) == (LEAST, LEAST)
    with pytest.raises(UserError, match="too small") as caught:
        blocks(held + LEAST * 8576 - 1, **GIVEN)
    named = parse_size(caught.value.todo.split()[-1])
    assert blocks(named, **GIVEN).search >= LEAST


def test_a_euclidean_and_an_approximate_search_hold_more():
    plain = blocks(120 * M, **GIVEN).search
    assert blocks(120 * M, **GIVEN, metric="euclidean").search < plain
    with pytest.raises(UserError, match="too small"):
        blocks(120 * M, **GIVEN, search="approximate")


def test_blocks_change_no_neighbour():
    x = problem().x.embeddings
    rows = np.arange(len(x))
    for metric in ("cosine", "euclidean"):
        whole, parts = (
            list(search_rows(x, rows[:90], rows, 5, metric=metric, threads=1, block=block))
            for block in (BLOCK, 64)
        )
        assert len(whole) == 1 and len(parts) == 5
        joined = np.concatenate([near.indices for _, near in parts])
        np.testing.assert_array_equal(joined, whole[0][1].indices)


def test_what_a_regression_and_a_kernel_hold():
    # fitted rows 20 * 10,000 * 520, square matrices 40 * 520^2, answers 8 MB;
    # row 512 * 4 + 36 * 520
    held = 104_000_000 + 10_816_000 + 8_000_000 + 64 * M
    assert blocks(held + 900 * 20_768, **GIVEN, method="ridge", classes=8) == (900, 900)
    # base 20.48 MB, fold 21 * 256 * 2000; row 512 * 13 + 96 * 256
    held = 20_480_000 + 10_752_000 + 8_000_000 + 64 * M
    wide = {**GIVEN, "k": 256}
    assert blocks(held + 700 * 31_232, **wide, method="kernel") == (700, 700)


@pytest.mark.parametrize("method", ["ridge", "kernel"])
def test_a_limit_changes_no_prediction(method):
    case = problem(size=1500, scored=60)
    given = (case.x.embeddings, case.ids, case.scores[:, 0])
    free = extrapolate(*given, labels=case.x.labels, method=method, threads=1)
    least = 64 * M + 80 * 1500 + 200_000  # room for the fitted rows and few blocks
    tight = extrapolate(
        *given, labels=case.x.labels, method=method, threads=1, max_memory=least + 400_000
    )
    assert free.chosen == tight.chosen
    np.testing.assert_allclose(tight.predicted, free.predicted, atol=1e-5)
    np.testing.assert_allclose(tight.std, free.std, atol=1e-5)


@pytest.mark.parametrize("method", ["auto", "propagate", "gnn", "trees"])
def test_other_methods_are_refused(method):
    case = problem()
    with pytest.raises(UserError, match=f"{method} holds matrices of all samples") as caught:
        extrapolate(case.x.embeddings, case.ids, case.scores[:, 0], method=method, max_memory=2**40)
    assert "knn, kernel or ridge" in caught.value.todo


@pytest.mark.skipif(sys.platform != "linux", reason="the high-water mark is Linux's")
@pytest.mark.parametrize(
    ("method", "limits"), [("knn", (72, 110, 1000)), ("kernel", (72, 200)), ("ridge", (88, 1000))]
)
def test_the_peak_follows_the_limit(method, limits):
    told = subprocess.run(
        [sys.executable, "-c", PEAK, method, *map(str, limits)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    peaks = [int(line) for line in told.stdout.split()]
    assert all(peak <= limit for peak, limit in zip(peaks, limits, strict=True))
    assert sorted(set(peaks)) == peaks  # the last is not held back
