"""The samples of a run, in the order of a view.

Every view compares two sides: the two ends of the score, predictions too high and too low, kept and
dropped. Only the pictures of one page are read from the memory-mapped bank.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core import registry
from core.artifacts import peek_scores, read_dataset, read_kept
from core.data.bank import Dataset
from core.data.locations import default_cache_root
from core.data.prepare import prepared_folder
from core.errors import PrunectlError, UserError
from core.runs import Run
from core.spec_load import parse_spec, read_yaml
from prunectl.tui.drawing import clean
from prunectl.tui.gallery.order import Mask, Order, Shares, first_among, first_by, shares_below
from prunectl.tui.gallery.page import Page, Side, Wish

Columns = dict[str, NDArray[Any]]
_TRIAL = re.compile(r"^s(\d+)-(.+)-(.+)-r(\d\.\d{4})$")
_SHUFFLE = 0
_AT_ONCE = 1 << 10
"""How many of an order are found at once."""
_FEW = 20
"""Classes of which each one's share is said."""


@dataclass(frozen=True)
class Trial:
    """A kept set that lies in the run folder."""

    id: str
    seed: int
    method: str
    policy: str
    rate: float


class Collection:
    """The samples of one run. Used by one thread at a time."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.spec = parse_spec(read_yaml(run.spec_file), str(run.spec_file))
        self.score = self.spec.score.name
        about = registry.describe("score", self.score).constants
        self.keeps_high = about.get("DIRECTION", "high") == "high"
        self._scores: tuple[int, Columns] | None = None
        self._sides: tuple[Wish, int, tuple[Order, ...]] | None = None
        self._dataset: Dataset | None = None
        self._held_ranks: tuple[int, Shares, Shares] | None = None

    def seeds(self) -> list[int]:
        """Seeds whose scores are known."""
        found = (self.run.path / "scores").glob("seed-*.parquet")
        return sorted(int(f.stem[5:]) for f in found if f.stem[5:].isdigit())

    def trials(self) -> list[Trial]:
        """Kept sets, by seed, method and rate, the spec's own method first."""
        own = self.spec.extrapolate.name
        found = []
        for file in (self.run.path / "kept").glob("*.npy"):
            if match := _TRIAL.match(file.stem):
                seed, method, policy, rate = match.groups()
                found.append(Trial(file.stem, int(seed), method, policy, float(rate)))
        return sorted(found, key=lambda t: (t.seed, t.method != own, t.method, t.rate))

    def classes(self) -> int:
        """How many classes the scored samples have."""
        labels = self._columns(self.seeds()[0])["label"] if self.seeds() else np.empty(0)
        return int(labels.max()) + 1 if labels.size else 0

    def mended(self, wish: Wish) -> Wish:
        """The wish, as far as there is what it asks for: a known seed, method and rate."""
        seeds = self.seeds()
        seed = wish.seed if wish.seed in seeds else (seeds[0] if seeds else wish.seed)
        own = [t for t in self.trials() if t.seed == seed]
        methods = list(dict.fromkeys(t.method for t in own))
        method = wish.method if wish.method in methods else (methods[0] if methods else "")
        rates = [t.rate for t in own if t.method == method]
        rate = wish.rate
        if rates and rate not in rates:
            rate = min(rates, key=lambda r: abs(r - (wish.rate or 0.5)))
        return replace(wish, seed=seed, method=method, rate=rate if rates else None)

    def page(self, wish: Wish, capacity: int) -> Page:
        """One page with at most ``capacity`` samples a side. What cannot be read is said."""
        wish = self.mended(wish)
        if not self.seeds():
            return Page(wish, trouble=f"{self.run.id} has no scores yet")
        try:
            return self._page(wish, max(capacity, 1))
        except PrunectlError as error:
            return Page(wish, trouble=str(error), heading=self._heading(wish))
        except Exception as error:  # a broken file must not end the console
            said = f"cannot show the samples: {type(error).__name__}: {error}"
            return Page(wish, trouble=said, heading=self._heading(wish))

    def _page(self, wish: Wish, capacity: int) -> Page:
        ordered = self._ordered(wish, (max(wish.page, 0) + 1) * capacity)
        pages = max(-(-max(order.total for order in ordered) // capacity), 1)
        wish = replace(wish, page=min(max(wish.page, 0), pages - 1))
        dataset, trouble = self._pictures()
        sides = []
        for order in ordered:
            first = wish.page * capacity
            shown = order.ids[first : first + capacity]
            images = dataset.train.inputs[shown] if dataset is not None else None
            captions = tuple(self._caption(wish, int(i), dataset) for i in shown)
            seen = tuple(int(i) for i in shown)
            sides.append(Side(order.title, order.total, first, seen, captions, images))
        note = self._note(wish, dataset)
        return Page(wish, tuple(sides), self._heading(wish), note, trouble, pages)

    def _ordered(self, wish: Wish, most: int) -> tuple[Order, ...]:
        """Both sides as far as the first ``most`` samples, as far as more when it is known."""
        key = replace(wish, page=0)
        if self._sides is None or self._sides[0] != key or self._sides[1] < most:
            columns = self._columns(wish.seed)
            table = {"ends": self._ends, "disagreement": self._disagreement, "kept": self._kept}
            chosen = np.ones(len(columns["label"]), dtype=bool)
            if wish.label is not None:
                chosen = columns["label"] == wish.label
            most = max(2 * most, _AT_ONCE)
            self._held_ranks = None
            self._sides = (key, most, table[wish.view](columns, chosen, wish, most))
        return self._sides[2]

    def _ends(self, columns: Columns, chosen: Mask, wish: Wish, most: int) -> tuple[Order, ...]:
        worth = columns[self.score]
        up = 1 if self.keeps_high else -1
        return (
            first_by("most important", worth, chosen, most, up),
            first_by("least important", worth, chosen, most, -up, last=True),
        )

    def _disagreement(
        self, columns: Columns, chosen: Mask, wish: Wish, most: int
    ) -> tuple[Order, ...]:
        predicted, full = self._ranks(wish.seed)
        off = predicted - full
        return (
            first_by("predicted too high", off, chosen & (off > 0), most, 1),
            first_by("predicted too low", off, chosen & (off < 0), most, -1),
        )

    def _kept(self, columns: Columns, chosen: Mask, wish: Wish, most: int) -> tuple[Order, ...]:
        kept = self._kept_mask(wish, len(chosen))
        # A fixed shuffle: what is in sight stands for the whole, and stays while one looks.
        every = np.arange(len(chosen), dtype=np.int32)
        order = np.random.default_rng(_SHUFFLE).permutation(every)
        return (
            first_among("kept", order, chosen & kept, most),
            first_among("dropped", order, chosen & ~kept, most),
        )

    def _kept_mask(self, wish: Wish, total: int) -> Mask:
        found = [
            t
            for t in self.trials()
            if (t.seed, t.method, t.rate) == (wish.seed, wish.method, wish.rate)
        ]
        if not found:
            raise UserError(f"{self.run.id} has no kept samples yet", "the run is not that far")
        kept = np.zeros(total, dtype=bool)
        kept[read_kept(self.run, found[0].id)] = True
        return kept

    def _unscored_with_truth(self, columns: Columns) -> Mask:
        truth = columns.get(f"{self.score}_full")
        if truth is None or not np.isfinite(truth).any():
            raise UserError(
                "the full scores of this run are not known, so nothing can disagree with them",
                "a run with reference: full measures them",
            )
        found: Mask = (
            np.isfinite(truth)
            & np.isfinite(columns[f"{self.score}_predicted"])
            & ~columns["scored"]
        )
        return found

    def _caption(self, wish: Wish, sample: int, dataset: Dataset | None) -> tuple[str, str]:
        columns = self._columns(wish.seed)
        name = _class_name(int(columns["label"][sample]), dataset)
        if wish.view == "disagreement":
            predicted, full = self._ranks(wish.seed)
            return name, f"{100 * predicted[sample]:.0f}|{100 * full[sample]:.0f}"
        mark = "" if columns["scored"][sample] else "~"
        return name, mark + _short(float(columns[self.score][sample]))

    def _ranks(self, seed: int) -> tuple[Shares, Shares]:
        """Percentiles (0..1) of prediction and truth, ``[N]`` each, among the unscored samples."""
        if self._held_ranks is None or self._held_ranks[0] != seed:
            columns = self._columns(seed)
            among = self._unscored_with_truth(columns)
            predicted = shares_below(columns[f"{self.score}_predicted"], among)
            full = shares_below(columns[f"{self.score}_full"], among)
            self._held_ranks = (seed, predicted, full)
        return self._held_ranks[1:]

    def _heading(self, wish: Wish) -> str:
        if wish.view == "ends":
            return f"{self.score}: {'high' if self.keeps_high else 'low'} is important"
        if wish.view == "disagreement":
            return f"{self.score}: predicted against full scores, samples not scored"
        shown = "" if wish.rate is None else f", pruned {wish.rate:.2f}"
        return f"{wish.method or 'nothing'}{shown}"

    def _note(self, wish: Wish, dataset: Dataset | None) -> str:
        columns = self._columns(wish.seed)
        if wish.view == "disagreement":
            return "below a picture: class, then its percentile predicted|full"
        if wish.view == "ends":
            return "below a picture: class, then its score; ~ is predicted, not measured"
        labels = columns["label"]
        kept = self._kept_mask(wish, len(labels))
        total = np.bincount(labels[labels >= 0])
        left = np.bincount(labels[(labels >= 0) & kept], minlength=len(total))
        found = [(left[c] / n, c) for c, n in enumerate(total.tolist()) if n]
        shares = [f"{_class_name(c, dataset)} {100 * share:.0f}%" for share, c in found]
        if len(shares) <= _FEW:
            return "kept by class: " + "  ".join(shares)
        order = sorted(range(len(found)), key=lambda i: found[i])
        ends = ("  ".join(shares[i] for i in some) for some in (order[:3], order[:-4:-1]))
        return "kept by class, least: {}; most: {}".format(*ends)

    def _columns(self, seed: int) -> Columns:
        if self._scores is None or self._scores[0] != seed:
            self._scores = (seed, peek_scores(self.run, seed))
        return self._scores[1]

    def _pictures(self) -> tuple[Dataset | None, str]:
        """The prepared data, or why there are no pictures."""
        if self._dataset is None:
            try:
                folder = prepared_folder(self.spec.data, default_cache_root())
                if not folder.is_dir():
                    what = f"{self.spec.data.name} is not prepared here any more: no pictures"
                    return None, f"{what}; any run of it prepares it again"
                self._dataset = read_dataset(folder)
            except PrunectlError as error:
                return None, f"no pictures: {error}"
        return self._suits(self._dataset)

    def _suits(self, dataset: Dataset) -> tuple[Dataset | None, str]:
        known = ((self.run.summary() or {}).get("data") or {}).get("fingerprint")
        samples = len(self._columns(self.seeds()[0])["label"])
        if samples != len(dataset.train) or (known and known != dataset.fingerprint):
            return None, "no pictures: the prepared data is not what this run saw"
        if not dataset.train.is_images:
            return (
                None,
                f"no pictures: samples are vectors of {dataset.train.input_shape[0]} numbers",
            )
        return dataset, ""


def _class_name(label: int, dataset: Dataset | None) -> str:
    if dataset is not None and 0 <= label < len(dataset.classes):
        return clean(dataset.classes[label])
    return "?" if label < 0 else str(label)


def _short(value: float) -> str:
    if not np.isfinite(value):
        return "-"
    text = f"{value:.3f}" if 0.1 <= abs(value) < 10 else f"{value:#.2g}"
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text
