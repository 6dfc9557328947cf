"""MLflow's own validation is the judge of our names."""

from __future__ import annotations

import math

import pytest
from mlflow.utils.validation import _validate_metric_name, _validate_param_name

from core.sinks import names

ODD = ["acc@1", "a=b", "x(y)", "rho[0]", "../x", "a//b", "/a", "a/", ".", "", "é/ü", "x" * 400]


@pytest.mark.parametrize("text", [*ODD, "train/loss", "train.optimizer.lr"])
def test_every_name_is_one_mlflow_takes(text: str) -> None:
    name = names.key(text)
    _validate_metric_name(name)
    _validate_param_name(name)
    assert len(name) <= names.MAX_KEY


def test_good_names_stay_as_they_are() -> None:
    assert names.key("final/test_accuracy") == "final/test_accuracy"


def test_long_texts_are_cut_visibly() -> None:
    text = names.text_of("x" * 9000, names.MAX_PARAM)
    assert len(text) == names.MAX_PARAM
    assert text.endswith("(cut)")


def test_values_are_texts_as_in_the_spec() -> None:
    flat = names.flat({"a": {"b": [0.5, 1], "c": None, "d": "x"}, "e": True})
    assert flat == {"a.b": "[0.5, 1]", "a.c": "null", "a.d": "x", "e": "true"}


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_nan(value: float | None) -> None:
    assert math.isnan(names.number(value))
