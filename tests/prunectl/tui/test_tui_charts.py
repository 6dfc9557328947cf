"""Charts without Textual: what is drawn where, and what cannot be drawn."""

from __future__ import annotations

import numpy as np
import pytest

from prunectl.tui.charts.band import Band, band_chart
from prunectl.tui.charts.density import density
from prunectl.tui.charts.line import Axes, line_chart
from prunectl.tui.charts.raster import Raster
from prunectl.tui.charts.scale import Scale, scale_of, short
from prunectl.tui.charts.series import Curve, decimate, smooth, value_at
from prunectl.tui.drawing import Line, Look, bar, clean, columns, fit, plain, width_of

FANCY, PLAIN = Look(), Look(ascii=True)
NAN, INF = float("nan"), float("inf")


def curve(*values: float, number: int = 0) -> Curve:
    return Curve("loss", np.arange(len(values), dtype=float), np.array(values), number)


def test_decimation_keeps_extremes_ends_and_gaps() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=100_003)
    y[777], y[50_000], y[1234] = 99.0, -99.0, NAN
    kept = decimate(y, 80)
    assert len(kept) <= 3 * 80 + 2
    assert {0, 777, 1234, 50_000, len(y) - 1} <= set(kept.tolist())
    assert (np.diff(kept) > 0).all()


def test_decimation_against_the_slow_way() -> None:
    y = np.random.default_rng(1).normal(size=1000)
    kept = set(decimate(y, 50).tolist())
    for first in range(0, 1000, 20):
        part = y[first : first + 20]
        assert {first + int(part.argmin()), first + int(part.argmax())} <= kept


def test_short_curves_are_left_alone() -> None:
    assert decimate(np.arange(10.0), 5).tolist() == list(range(10))


def test_smoothing_is_the_mean_of_what_is_finite_nearby() -> None:
    y = np.array([1.0, 3.0, NAN, 5.0, 7.0])
    assert smooth(y, 1) is y
    np.testing.assert_allclose(smooth(y, 3), [2.0, 2.0, NAN, 6.0, 6.0])


def test_the_value_under_a_cursor_is_that_of_the_nearest_point() -> None:
    one = curve(5.0, NAN, 7.0)
    assert value_at(one, 0.4) == 5.0
    assert value_at(one, 1.2) is None
    assert value_at(one, 99.0) == 7.0
    assert value_at(curve(), 0.0) is None


def test_dots_are_braille_and_start_at_the_lower_left() -> None:
    raster = Raster(2, 1)
    raster.dots(np.array([0, 3, 9]), np.array([0, 3, 9]), "s1")
    assert plain(raster.lines()) == "⡀⠈"


def test_a_line_is_joined_and_a_gap_is_not() -> None:
    whole, broken = Raster(4, 1), Raster(4, 1)
    x = np.array([0.0, 3.0, 7.0])
    whole.line(x, np.zeros(3), "s1")
    broken.line(x, np.array([0.0, NAN, 0.0]), "s1")
    assert plain(whole.lines()) == "⣀⣀⣀⣀"
    assert plain(broken.lines()) == "⡀  ⢀"  # each lonely point is still seen


@pytest.mark.parametrize("look", [FANCY, PLAIN])
@pytest.mark.parametrize("size", [(1, 1), (8, 3), (20, 6), (70, 14), (3, 30)])
@pytest.mark.parametrize(
    "values",
    [(), (1.0,), (NAN, NAN), (INF, -INF, 1.0), (2.0, 2.0, 2.0), (1e30, -1e30), (0.0, NAN, 1e-30),
     (5e-324, 1.7e308), (-1.7e308, 1.7e308)],
)  # fmt: skip
def test_nothing_crashes_the_line_chart(
    values: tuple[float, ...], size: tuple[int, int], look: Look
) -> None:
    for axes in (Axes("step"), Axes("step", log=True), Axes("step", cursor=0.5)):
        with np.errstate(over="ignore"):
            lines = line_chart([curve(*values)], *size, look, axes)
        _fits(lines, *size)


def _fits(lines: list[Line], width: int, height: int) -> None:
    assert len(lines) <= max(height, 1)
    assert all(width_of(line) <= max(width, 8) for line in lines)


def test_what_is_not_finite_is_marked_at_the_top() -> None:
    text = plain(line_chart([curve(1.0, NAN, 2.0, INF, 1.0)], 30, 8, FANCY, Axes("step")))
    assert text.splitlines()[1].count("✕") == 2
    assert "✕" not in plain(line_chart([curve(1.0, 2.0)], 30, 8, FANCY, Axes("step")))


def test_a_logarithmic_axis_refuses_what_is_not_above_zero() -> None:
    text = plain(line_chart([curve(-1.0, 0.0)], 60, 8, FANCY, Axes("step", log=True)))
    assert "nothing above zero" in text
    assert "step, log" in plain(line_chart([curve(1.0, 9.0)], 60, 8, FANCY, Axes("step", log=True)))


def test_the_cursor_reads_every_curve() -> None:
    both = [curve(1.0, 2.0, 3.0), Curve("other", np.arange(3.0), np.array([4.0, NAN, 6.0]), 1)]
    head = plain(line_chart(both, 60, 8, FANCY, Axes("step", cursor=0.5))).splitlines()[0]
    assert head == "step 1  ● loss 2.00  ◆ other -"


def test_ascii_is_ascii() -> None:
    lines = line_chart([curve(1.0, NAN, 3.0), curve(3.0, 2.0, 1.0, number=1)], 40, 9, PLAIN)
    lines += density(np.arange(9.0), np.arange(9.0), 30, 8, PLAIN)
    lines += band_chart([Band(curve(0.9, 0.8), np.array([0.1, NAN]))], 40, 9, PLAIN, Axes("rate"))
    assert plain(lines).isascii()


def test_series_differ_without_colour() -> None:
    many = [curve(1.0, 2.0, number=n) for n in range(8)]
    assert len({c.glyph(True) for c in many}) == len({c.glyph(False) for c in many}) == 8
    assert len({c.dash for c in many}) == len({c.style for c in many}) == 8


def test_density_counts_points() -> None:
    x = np.array([0.0] * 50 + [1.0, NAN])
    lines = plain(density(x, x, 20, 7, FANCY))
    assert "█" in lines
    assert "·" in lines or "░" in lines
    assert "nothing measured" in plain(density(np.array([NAN]), np.array([1.0]), 30, 7, FANCY))


def test_a_band_marks_means_and_the_break_even() -> None:
    one = Curve("knn", np.array([0.3, 0.7]), np.array([0.95, 0.88]), 0)
    text = plain(band_chart([Band(one, np.array([0.01, NAN]))], 50, 10, FANCY, Axes("r"), 0.5))
    assert text.count("●") == 3  # two means and the legend
    assert "┊" in text


def test_scales() -> None:
    assert scale_of([np.array([NAN, INF])]) is None
    one = scale_of([np.array([5.0])])
    assert one is not None
    assert one.low < 5.0 < one.high
    assert Scale(1.0, 100.0, True).value(0.5) == pytest.approx(10.0)
    assert np.isnan(Scale(1.0, 100.0, True).share(np.array([-1.0]))[0])
    assert [short(v) for v in (0.5, 12.0, 1234.5, 2.5e7, 0.0)] == [
        "0.500", "12.00", "1234", "2.5e7", "0.000",
    ]  # fmt: skip


def test_names_cannot_smuggle_control_characters() -> None:
    assert clean("a\x1b[31mb\nc\u202ed") == "a?[31mb?c?d"
    assert len(clean("x" * 10_000)) < 1000


def test_fitting() -> None:
    assert fit("abcdef", 4) == "abc…"
    assert fit("ab", 4, right=True) == "  ab"
    assert fit("日本語", 4) == "日 …"
    assert plain(columns([[("a", ""), ("10", "")], [("bb", ""), ("9", "")]], right=(1,))) == (
        "a   10\nbb   9"
    )
    assert plain([bar(0.5, 4, PLAIN)]) == "##.."
    assert plain([bar(NAN, 4, FANCY)]) == "────"
