"""Predictions: asked once per spec, drawn in plain words at any width."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from core.errors import UserError
from prunectl.presets import load_spec
from prunectl.tui import predicting
from prunectl.tui.drawing import plain, width_of
from prunectl.tui.predicting import Prediction, Predictor, prediction_lines

ANSWER: Mapping[str, Any] = {
    "by_rate": [
        {"method": "knn", "rate": 0.3, "loop_seconds": 10.0, "saving": -0.25},
        {"method": "knn", "rate": 0.8, "loop_seconds": 4.0, "saving": 0.5},
        {"method": "random", "rate": 0.8, "loop_seconds": 2.0, "saving": 0.8},
    ],
    "break_even_rate": 0.42, "full_seconds": 8.0, "seconds": 40.0, "disk_bytes": 3_000_000,
    "source": "probe", "device": "cpu", "cannot_pay": ["pruning 30% cannot pay"],
}  # fmt: skip


class _Asker:
    """Stands for the worker: answers when it is let go."""

    def __init__(self, answer: Callable[[], Any]) -> None:
        self.jobs: list[Mapping[str, Any]] = []
        self.go = threading.Event()
        self._answer = answer

    def __call__(self, job: Mapping[str, Any], narrate: Callable[[Mapping[str, Any]], None]) -> Any:
        self.jobs.append(job)
        narrate({"type": "progress", "done": 300, "total": 1258})
        assert self.go.wait(5)
        narrate({"type": "progress", "done": 1258, "total": 1258})
        return self._answer()


def _asked(
    monkeypatch: pytest.MonkeyPatch, answer: Callable[[], Any], runs: Path
) -> tuple[_Asker, Predictor, threading.Semaphore]:
    asker, told = _Asker(answer), threading.Semaphore(0)
    monkeypatch.setattr(predicting, "ask", asker)
    return asker, Predictor(runs, told.release), told


def test_a_spec_is_asked_once_whatever_its_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asker, predictor, told = _asked(monkeypatch, lambda: ANSWER, tmp_path)
    spec = load_spec("quickstart")
    assert predictor.of(spec) is None and predictor.ask(spec)
    assert told.acquire(timeout=5)
    found = predictor.of(spec)
    assert found is not None and found.progress == "preparing data: 300 of 1,258"
    assert predictor.ask(spec)
    assert not predictor.ask(load_spec("quickstart", ["train.epochs=20ep"]))
    asker.go.set()
    assert told.acquire(timeout=5) and told.acquire(timeout=5)
    assert predictor.ask(load_spec("quickstart", ["name=other"]))
    assert len(asker.jobs) == 1
    assert asker.jobs[0]["spec"] == spec.to_dict()
    assert predictor.of(spec) == Prediction(value=ANSWER)
    assert predictor.of(load_spec("quickstart", ["train.epochs=20ep"])) is None


def test_what_went_wrong_is_said_and_may_be_asked_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse() -> None:
        raise UserError("no data", "get some")

    asker, predictor, told = _asked(monkeypatch, refuse, tmp_path)
    asker.go.set()
    spec = load_spec("quickstart")
    for _ in range(2):
        predictor.ask(spec)
        for _ in range(3):
            assert told.acquire(timeout=5)
        assert predictor.of(spec) == Prediction(trouble="no data; get some")
    assert len(asker.jobs) == 2


def test_nobody_is_told_after_giving_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asker, predictor, told = _asked(monkeypatch, lambda: ANSWER, tmp_path)
    predictor.ask(load_spec("quickstart"))
    assert told.acquire(timeout=5)
    predictor.give_up()
    asker.go.set()
    assert not told.acquire(timeout=0.2)


@pytest.mark.parametrize("width", [38, 76])
def test_the_answer_in_words(width: int) -> None:
    lines = prediction_lines(Prediction(value=ANSWER), load_spec("quickstart"), width)
    said = plain(lines)
    for text in (
        "pays above rate 0.42", "about 40 s", "8.00 s", "3.0 MB", "-25%", "+50%", "30% cannot pay",
        "sample passes are exact",
    ):  # fmt: skip
        assert text in said, text
    assert "80%" not in said  # of random
    assert max(map(width_of, lines)) <= width


def test_short_is_three_lines_with_the_cost_and_the_disk() -> None:
    spec = load_spec("quickstart")
    lines = prediction_lines(Prediction(value=ANSWER), spec, 38, short=True)
    assert len(lines) <= 4 and "3.0 MB" in plain(lines[:3])


def test_nothing_known_and_trouble_are_said() -> None:
    spec = load_spec("quickstart")
    assert "f5" in plain(prediction_lines(None, spec, 40))
    assert "problems" in plain(prediction_lines(None, None, 40))
    assert "?[2J" in plain(prediction_lines(Prediction(trouble="\x1b[2J"), spec, 40))
    assert prediction_lines(Prediction(value={}), spec, 40)
