"""Predictions for the form: asked of a worker once per spec, and drawn as lines."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import PrunectlError
from core.predicted import SOURCES
from core.spec import Spec
from core.sweep_spec import SweepSpec
from core.units import digest
from prunectl import words
from prunectl.jobs import ask
from prunectl.sweep.options import Options
from prunectl.sweep.predict import predict, sentences
from prunectl.tui.drawing import Line, clean, columns, wrap

_FLAT = 60
"""Cells from which on the numbers stand side by side."""


@dataclass(frozen=True)
class Prediction:
    """One answer, or why there is none, or how far it is."""

    value: Mapping[str, Any] | None = None
    trouble: str = ""
    progress: str = ""


class Predictor:
    """Asks for estimates, one at a time, and remembers them while it lives.

    Asking happens in a daemon thread, so that leaving the console never waits for an answer.
    ``changed`` is called in that thread.
    """

    def __init__(self, runs_dir: Path, changed: Callable[[], None]) -> None:
        self.runs_dir = runs_dir
        self._changed = changed
        self._known: dict[str, Prediction] = {}
        self._asking: str | None = None
        self._given_up = threading.Event()

    @property
    def busy(self) -> bool:
        """Whether an answer is awaited."""
        return self._asking is not None

    def of(self, spec: Spec | SweepSpec) -> Prediction | None:
        """What is known for a spec, None when it was not asked."""
        return self._known.get(_key(spec))

    def ask(self, spec: Spec | SweepSpec) -> bool:
        """Ask, unless it is known. False while another spec's answer is awaited."""
        key = _key(spec)
        known = self._known.get(key)
        if known is not None and known.value is not None:
            return True
        if self.busy:
            return self._asking == key
        self._asking = key
        self._known[key] = Prediction(progress="starting a worker")
        threading.Thread(target=self._answer, args=(key, spec), daemon=True).start()
        return True

    def give_up(self) -> None:
        """Nobody wants the answer any more."""
        self._given_up.set()

    def _answer(self, key: str, spec: Spec | SweepSpec) -> None:
        def narrate(line: Mapping[str, Any]) -> None:
            if self._given_up.is_set():
                raise _GivenUp
            done, total = line.get("done"), line.get("total")
            if done is not None and total:
                said = f"preparing data: {words.count(done)} of {words.count(total)}"
                self._tell(key, Prediction(progress=said if done < total else "probing speed"))

        try:
            found = Prediction(value=self._asked(spec, narrate))
        except _GivenUp:
            return
        except PrunectlError as error:
            found = Prediction(trouble=str(error))
        except Exception as error:  # whatever it was, the form must live
            found = Prediction(trouble=f"{type(error).__name__}: {error}")
        self._asking = None
        self._tell(key, found)

    def _asked(self, spec: Spec | SweepSpec, narrate: Callable[[Mapping[str, Any]], None]) -> Any:
        if isinstance(spec, SweepSpec):
            return predict(spec, Options(), self.runs_dir, narrate)
        job = {"job": "estimate", "spec": spec.to_dict(), "runs_dir": str(self.runs_dir)}
        return ask(job, narrate)

    def _tell(self, key: str, found: Prediction) -> None:
        self._known[key] = found
        if not self._given_up.is_set():
            self._changed()


class _GivenUp(Exception):
    """The screen is gone."""


def prediction_lines(
    found: Prediction | None, spec: Spec | None, width: int, *, short: bool = False
) -> list[Line]:
    """What the form says beside the fields about cost, break-even and disk."""
    if spec is None:
        return _said("not known while there are problems", width, "dim")
    if found is None:
        said = "f5 predicts cost, break-even and disk; nothing is run"
        return _said(said, width, "dim")
    if found.progress:
        return _said(f"predicting: {found.progress}", width, "live")
    if found.value is None:
        return _said(clean(found.trouble), width, "bad")
    if "cells" in found.value:
        return _of_sweep(found.value, width, short)
    return _answered(found.value, spec, width, short)


def _of_sweep(value: Mapping[str, Any], width: int, short: bool) -> list[Line]:
    cells = words.plural(len(value["cells"]), "cell")
    slots = words.plural(len(value["slots"]), "slot")
    lines = _said(f"{cells}: {words.about(value['seconds'])} on {slots}", width, "strong")
    if short:
        said = f"device time {words.about(value['device_seconds'])}, "
        return lines + _said(said + f"disk {words.size(value['disk_bytes'])}", width, "text")
    shared, device, disk, *cannot = sentences(value)
    for text in (shared, device, disk.partition("; ")[2]):
        lines += _said(clean(text), width, "text")
    for text in cannot:
        lines += _said(clean(text), width, "warn")
    return lines


def _answered(value: Mapping[str, Any], spec: Spec, width: int, short: bool) -> list[Line]:
    pays = value.get("break_even_rate")
    never = pays is not None and pays >= 1
    lines = _said(words.pays(pays, value.get("budget")), width, "bad" if never else "strong")
    facts = [
        ("this run", words.about(float(value.get("seconds") or 0.0))),
        ("full training", words.clock(value.get("full_seconds"))),
        ("disk", words.size(value.get("disk_bytes"))),
        ("device", clean(value.get("device"))),
    ]
    own = [r for r in value.get("by_rate") or () if r.get("method") == spec.extrapolate.name]
    if short:
        said = ", ".join(f"{name} {text}" for name, text in facts)
        return lines + _said(said, width, "text")
    if width >= _FLAT:
        lines.append([piece for n, t in facts for piece in ((f"{n} ", "dim"), (f"{t}   ", "text"))])
        rates: Line = [("saved at rate  ", "dim")]
        for rate, _, (saved, style) in map(_saving_row, own):
            rates += [(f"{rate[0]} ", "dim"), (f"{saved}   ", style)]
        lines += [rates] if own else []
    else:
        lines += columns([[(name, "dim"), (text, "text")] for name, text in facts])
        rows: list[Line] = [[("rate", "dim"), ("loop", "dim"), ("saved", "dim")]]
        lines += columns(rows + [_saving_row(row) for row in own], right=(0, 1, 2)) if own else []
    for text in value.get("cannot_pay") or ():
        lines += _said(clean(text), width, "warn")
    source = SOURCES.get(str(value.get("source")), "predicted")
    return lines + _said(
        f"{words.passes_known(value.get('passes_exact', True))}, seconds {source}", width, "dim"
    )


def _saving_row(row: Mapping[str, Any]) -> Line:
    saving = row.get("saving")
    good = "text" if saving is None else "good" if saving > 0 else "bad"
    shown = words.DASH if saving is None else f"{100 * saving:+.0f}%"
    return [
        (f"{row.get('rate', 0):.2f}", "text"),
        (words.clock(row.get("loop_seconds")), "text"),
        (shown, good),
    ]


def _said(text: str, width: int, style: str) -> list[Line]:
    return [[(line, style)] for line in wrap(text, width)]


def _key(spec: Spec | SweepSpec) -> str:
    return digest({k: v for k, v in spec.to_dict().items() if k not in ("name", "tracking")})
