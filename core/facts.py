"""What a plan has to know of a dataset."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DataFacts:
    """What the plan has to know of a dataset."""

    n_train: int
    n_test: int
    classes: int
    fingerprint: str = ""
    n_labelled: int | None = None
    """Training samples with a label; None: all of them."""
    n_real: int | None = None
    """Training samples that were not generated; None where the data do not say which are."""
