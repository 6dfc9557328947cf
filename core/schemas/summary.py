"""The shape of ``summary.json``, for its JSON Schema and for those who read it from Python."""

from __future__ import annotations

from typing import Any, Literal, NotRequired

from pydantic import ConfigDict
from typing_extensions import TypedDict

_EXACT = ConfigDict(extra="forbid")


class _Exact(TypedDict):
    __pydantic_config__ = _EXACT  # type: ignore[misc]  # pydantic reads it from the class body


class Data(_Exact):
    """The dataset."""

    name: str
    n_train: int
    n_test: int
    classes: int
    fingerprint: str


class Subset(_Exact):
    """The scored subset."""

    n: int
    fraction: float


class Score(_Exact):
    """One recorded score and the recipe it was made under; the first is pruned by. ``extrapolated``
    is false where every sample has a score of its own (kinds embedded and given)."""

    name: str
    kind: Literal["trained", "embedded", "given"]
    direction: Literal["high", "low"]
    extrapolated: bool
    preset: str | None
    record: str | None
    window: dict[str, Any] | None
    options: dict[str, Any]
    nets: int | None


class Heldout(_Exact):
    """Agreement with the subset's own scores on the held-out fold: optimistic. No interval below
    n = 50."""

    spearman: float | None
    ci_low: float | None
    ci_high: float | None
    pearson: float | None
    n: int
    against: Literal["subset_scores"]


class WithInterval(_Exact):
    """Correlations, and the bootstrap interval of the rank correlation: none below n = 50."""

    spearman: float | None
    ci_low: float | None
    ci_high: float | None
    pearson: float | None
    n: int


class Generated(_Exact):
    """Agreement on generated samples alone: those of the held-out fold, and unscored ones against
    full-data scores."""

    heldout: Heldout
    reference: WithInterval | None


class Recall(_Exact):
    """Share of the best n_keep samples by reference score that the method kept."""

    rate: float
    value: float | None


class Reference(_Exact):
    """Agreement with full-data scores: on unscored ids; the ceiling on scored ids; the reliability
    is the mean over pairs with the other seeds' references."""

    spearman: float | None
    pearson: float | None
    ceiling_spearman: float | None
    reliability_spearman: float | None
    kept_recall: list[Recall]


class Ended(_Exact):
    """The epoch, counted from 1, with which validation ended the score of a scoring net, of how
    many it was trained, and the accuracy on the validation samples after it, of the kind ``by``."""

    epoch: int
    of: int
    accuracy: float
    by: str


class Extrapolation(_Exact):
    """One score of one seed."""

    seed: int
    method: str
    score: str
    chosen: dict[str, Any]
    heldout: Heldout
    reference: Reference | None
    crossfit: Heldout | None
    coverage80: float | None
    generated: NotRequired[Generated | None]
    until: NotRequired[list[Ended] | None]


class KindKept(_Exact):
    """Samples of one kind, and the share of them that was kept."""

    n: int
    kept: float | None


class DuplicatesKept(_Exact):
    """Groups of near-duplicates: mean members, and mean members kept."""

    groups: int
    members: float | None
    kept: float | None


class DifficultyKept(_Exact):
    """Mean known difficulty of all and of the kept samples."""

    all: float
    kept: float | None


class KeptTruth(_Exact):
    """What became of each kind of sample, where the dataset knows its kinds."""

    mislabelled: KindKept
    ambiguous: KindKept
    rare: KindKept
    duplicates: DuplicatesKept
    difficulty: DifficultyKept


class TrialRow(_Exact):
    """One retraining. ``truth`` is null for data without a known truth, and for ``full``."""

    id: str
    seed: int
    method: str
    score: str | None
    policy: str | None
    rate: float
    n_kept: int
    subset_share: float | None
    kept_path: str | None
    status: Literal["pending", "finished"]
    metrics: dict[str, float | None]
    seconds: float | None
    sample_passes: int | None
    steps: int | None
    truth: NotRequired[KeptTruth | None]


class Against(_Exact):
    """A paired difference; the interval is Student's t, null below three seeds."""

    mean: float
    ci_low: float | None
    ci_high: float | None


class TradeoffRow(_Exact):
    """One metric of one (method, policy, rate) over seeds."""

    method: str
    policy: str | None
    rate: float
    metric: str
    mean: float | None
    std: float | None
    n: int
    vs_random: Against | None


class StageRow(_Exact):
    """One row of the ledger. ``flops`` and ``peak_memory_bytes`` as measured when first made."""

    task: str
    stage: str
    seed: int
    trial: str | None
    seconds: float
    sample_passes: int
    flops: int
    peak_memory_bytes: int
    reused: bool


class RateRow(_Exact):
    """What a method costs at a rate, mean over seeds."""

    method: str
    policy: str | None
    rate: float
    loop_seconds: float
    loop_passes: NotRequired[float]
    saving: float | None
    saving_passes: float


class Cost(_Exact):
    """The ledger."""

    budget: NotRequired[Literal["epochs", "steps", "seconds", "real"]]
    stages: list[StageRow]
    by_rate: list[RateRow]
    full_training_seconds: float | None
    full_measured: bool
    break_even_rate: float | None


class ScoresFile(_Exact):
    """Scores of one seed."""

    seed: int
    path: str


class ModelFile(_Exact):
    """Weights of one trial or scoring run."""

    trial: str
    path: str


class Artifacts(_Exact):
    """Files in the run folder."""

    scores: list[ScoresFile]
    models: list[ModelFile]
    report: str | None


class Tracking(_Exact):
    """Where the run is in MLflow."""

    tracking_uri: str
    experiment_id: str
    run_id: str


class SummaryDocument(_Exact):
    """``summary.json``. Fractions are 0..1; undefined is null."""

    schema: Literal[1]
    run: str
    name: str
    status: Literal["running", "stopped", "failed", "finished"]
    reason: str | None
    seeds: list[int]
    versions: dict[str, str]
    data: Data
    subset: Subset
    scores: NotRequired[list[Score]]
    extrapolation: list[Extrapolation]
    trials: list[TrialRow]
    tradeoff: list[TradeoffRow]
    cost: Cost
    artifacts: Artifacts
    mlflow: Tracking | None
