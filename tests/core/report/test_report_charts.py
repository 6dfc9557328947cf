"""Charts: places computed by hand, gaps, bands, escaping, and what has no values."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest

from core.report.dots import Dot, Row, dot_chart
from core.report.histogram import Group, histogram
from core.report.html import section, table, text
from core.report.lines import Line, line_chart
from core.report.scale import Scale, span, ticks
from core.report.svg import LEFT, STYLES, TOP, WIDTH, Axis, dash, mark

EVIL = "<script>alert('x')</script>\" onload=\"y\x00"
FIXED = Axis("x", low=0.0, high=10.0)


def _svg(figure: str | None) -> ElementTree.Element:
    """The chart parsed as XML, which escaping errors would break."""
    assert figure is not None
    found = re.search(r"<svg.*?</svg>", figure, re.S)
    assert found is not None
    return ElementTree.fromstring(found.group())


def _paths(figure: str | None, kind: str) -> list[str]:
    return [p.attrib["d"] for p in _svg(figure).iter("path") if p.get("class") == kind]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0.93, 0.99, [0.94, 0.96, 0.98]),
        (-130, 90, [-100, -50, 0, 50]),
        (0, 1250, [0, 250, 500, 750, 1000, 1250]),
    ],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected)


def test_span_leaves_room_and_never_closes() -> None:
    assert span([1.0, None, 2.0, math.nan, math.inf], 0.1) == pytest.approx((0.9, 2.1))
    assert span([]) == (0.0, 1.0)
    low, high = span([0.5, 0.5])
    assert low < 0.5 < high


def test_a_scale_is_linear() -> None:
    scale = Scale(0, 10, 300, 100)
    assert [scale(v) for v in (0, 5, 10)] == [300, 200, 100]


def test_a_line_is_where_its_values_are() -> None:
    # x 0..10 maps to 56..626, y 0..10 to 298..12
    line = Line("a", 0, [0, 10], [0.0, 5.0])
    assert _paths(line_chart("t", [line], FIXED, FIXED), "line s0") == ["M56 298L626 155"]
    assert (LEFT, WIDTH - 14, TOP, 340 - 42) == (56, 626, 12, 298)


def test_what_is_not_finite_is_a_gap() -> None:
    line = Line("a", 1, [0, 2, 4, 6, 8], [1.0, None, 1.0, math.nan, 1.0])
    (path,) = _paths(line_chart("t", [line], FIXED, FIXED), "line s1")
    assert path.count("M") == 3 and "nan" not in path


def test_a_band_goes_there_above_and_back_below() -> None:
    line = Line("a", 2, [0, 10], [5.0, 5.0], [0.0, 0.0], [10.0, 10.0])
    (path,) = _paths(line_chart("t", [line], FIXED, FIXED), "band s2")
    assert path == "M56 12L626 12L626 298L56 298Z"


def test_the_band_of_a_single_place_is_a_whisker() -> None:
    line = Line("a", 3, [5], [5.0], [0.0], [10.0])
    assert _paths(line_chart("t", [line], FIXED, FIXED), "line s3")[0] == "M341 298V12"


def test_a_long_line_has_a_few_marks() -> None:
    line = Line("a", 0, list(range(60)), [1.0] * 60)
    assert str(line_chart("t", [line], FIXED, FIXED)).count("<title>") == 6


def test_a_level_spans_the_width() -> None:
    lines = [Line("a", 0, [2, 3], [1.0, 2.0]), Line("full", 1, [0.0], [10.0], level=True)]
    chart = line_chart("t", lines, FIXED, FIXED)
    assert _paths(chart, "line s1") == ["M56 12L626 12"]


def test_series_differ_in_mark_and_dash_not_only_in_colour() -> None:
    assert len({mark(s, 0, 0).replace(f"s{s}", "") for s in range(STYLES)}) == STYLES
    assert len({dash(s) for s in range(STYLES)}) == STYLES


def test_dots_stand_on_the_axis_with_their_interval() -> None:
    rows = [Row("one", (Dot(0, 5.0, 0.0, 10.0),))]
    chart = dot_chart("t", rows, ["s"], FIXED)
    assert _paths(chart, "line s0") == ["M56 25H626"]
    assert "translate(341 25)" in str(chart)  # the middle of 56..626


def test_no_values_no_chart() -> None:
    assert line_chart("t", [Line("a", 0, [1], [None])], FIXED, FIXED) is None
    assert dot_chart("t", [], [], FIXED) is None
    assert section("a", "b", None, "") is None


def test_bars_and_outline_of_a_histogram() -> None:
    chart = histogram("t", Group("a", [0.5, 0.0]), Group("b", [0.25, 0.25]), [0, 1, 2], "x")
    drawn = _svg(chart)
    bars = [p for p in drawn.iter("path") if p.get("class") == "bar s0"]
    assert len(bars) == 1  # an empty bin has no bar
    (outline,) = [p for p in drawn.iter("path") if p.get("class") == "line s1"]
    assert outline.attrib["d"].startswith("M56 218V") and "H341V" in outline.attrib["d"]


def test_everything_from_outside_is_escaped() -> None:
    line = Line(EVIL, 0, [0, 1], [0.0, 1.0])
    axis = Axis(EVIL, lambda v: EVIL)
    charts = [
        line_chart(EVIL, [line], axis, axis, EVIL),
        dot_chart(EVIL, [Row(EVIL, (Dot(0, 1.0),))], [EVIL], axis, EVIL),
        histogram(EVIL, Group(EVIL, [1.0]), Group(EVIL, [1.0]), [0, 1], EVIL, EVIL),
    ]
    for chart in charts:
        _svg(chart)
        assert chart is not None and "<script" not in chart and '" onload' not in chart
    assert "<script" not in table([EVIL], [[EVIL]], EVIL)
    assert "\x00" not in text(EVIL)
