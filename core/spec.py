"""The experiment spec: frozen, unknown keys refused, one YAML for one experiment.

Sections that name a plug-in (data, paradigm, model, score, extrapolate, prune) also take that
plug-in's own options as flat keys; they are declared in the plug-in's ``class Params`` and kept in
``.params``. :func:`core.spec_load.parse_spec` checks a mapping and fills every default, so a
:class:`Spec` is always complete: what it prints is what runs.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar, Literal

import yaml
from pydantic import Field, field_validator, model_validator

from core.recipe import RetrainSpec, TrainSpec
from core.registry import Kind
from core.section import PluginSection, Section
from core.units import Seconds, digest

Method = str
BASELINES = (
    "random", "full", "subset_only", "true_random", "direct", "full_scores", "rs2", "infobatch",
)  # fmt: skip
_DEVICE = re.compile(r"^(auto|cpu|mps|cuda:\d+)$")


class DataSpec(PluginSection):
    """Where the samples come from."""

    kind: ClassVar[Kind] = "dataset"
    name: str
    """Source: `prunectl plugins dataset` lists them."""
    root: Path | None = None
    """Folder or file that holds the data."""
    size: int | None = Field(default=None, ge=4, le=1024)
    """Picture side in pixels; null keeps the source's own."""
    n: int | None = Field(default=None, ge=1)
    """Count of samples, for sources that generate them."""
    seed: int = Field(default=0, ge=0)
    """Seed of splits and generated data; run seeds never change the data."""
    test_fraction: float | None = Field(default=None, gt=0, lt=1)
    """Share taken as test set where the source has none of its own."""
    validation: int = Field(default=0, ge=0)
    """Samples taken out of train before ids are given."""


class ParadigmSpec(PluginSection):
    """Loss, targets and evaluation."""

    kind: ClassVar[Kind] = "paradigm"
    name: str = "supervised"
    """Training paradigm."""


class ModelSpec(PluginSection):
    """The network."""

    kind: ClassVar[Kind] = "model"
    name: str
    """Architecture (`prunectl plugins model`), or your own `package.module:function`."""
    weights: Path | None = None
    """File of initial weights, a torch state_dict; every training starts from them."""


class SubsetSpec(Section):
    """The part that is trained on and scored."""

    fraction: float | None = Field(default=None, gt=0, lt=1)
    """Share of train; give this or n."""
    n: int | None = Field(default=None, ge=2)
    """Number of samples; give this or fraction."""
    how: Literal["random", "class_balanced", "real", "labelled"] = "random"
    """random: first ids of the seed's permutation, so subsets nest; class_balanced: per class;
    real: all real samples, the rest generated ones at random; labelled: every sample that has a
    label, without fraction or n."""

    @model_validator(mode="after")
    def _one_size(self) -> SubsetSpec:
        if self.how == "labelled":
            if self.fraction is not None or self.n is not None:
                raise ValueError("labelled takes every labelled sample: set fraction and n to null")
            return self
        if (self.fraction is None) == (self.n is None):
            raise ValueError("give either fraction or n")
        return self


class WindowSpec(Section):
    """Which epochs a trajectory score looks at."""

    length: int = Field(ge=2)
    """Epochs in one window (J)."""
    ddof: Literal[0, 1] = 1
    """1: unbiased standard deviation."""
    skip: int = Field(default=0, ge=0)
    """First epochs left out."""
    drop_last: bool = False
    """Leave the very last window out, as two published implementations do."""

    @property
    def least(self) -> int:
        """The fewest epochs that one window counts in."""
        return self.length + self.skip + int(self.drop_last)


class AlsoSpec(PluginSection):
    """A further score that is recorded and extrapolated, never pruned by."""

    kind: ClassVar[Kind] = "score"
    name: str
    """Score: `prunectl plugins score` lists them."""
    preset: str | None = None
    """Published settings; sets record, window and options. A key written out wins."""
    record: Literal["train_forward", "extra_forward", "eval_pass"] | None = None
    """What is recorded: the training forward, an extra eval forward a step, or a pass an epoch."""
    window: WindowSpec | None = None
    """Window of trajectory scores."""


class ScoreSpec(AlsoSpec):
    """The importance score."""

    also: tuple[AlsoSpec, ...] = ()
    """Further scores, never pruned by: names, or {name: .., preset: .., and so on}."""
    nets: int = Field(default=1, ge=1, le=100)
    """Scoring nets whose scores are averaged; each is trained on the whole subset."""
    cross_fit: int = Field(default=0, ge=0, le=20)
    """Folds of the subset: as many nets, each trained without one, for extrapolators that read
    dynamics (0: none)."""
    until: Literal["end", "best_validation", "matched"] = "end"
    """Last epoch that scores read: the training's; the one of best validation accuracy (robust,
    where that is trained for), as an early stop would have taken, which needs data.validation; or
    matched: on a subset, before its samples are learned by heart (and from a little later on)."""

    @field_validator("cross_fit")
    @classmethod
    def _no_single_fold(cls, folds: int) -> int:
        if folds == 1:
            raise ValueError("one fold leaves nothing to train on; give 2 or more, or 0")
        return folds

    @property
    def names(self) -> tuple[str, ...]:
        """All recorded scores, the one that is pruned by first."""
        return (self.name, *(other.name for other in self.also))


class EmbedSpec(Section):
    """Where the embeddings come from."""

    from_: str | ModelSpec = Field(default="scoring_net", alias="from")
    """scoring_net, a .npy or .npz file of embeddings, or {name: model, weights: file}."""

    @property
    def file(self) -> Path | None:
        """The file of embeddings, where they come from one."""
        return Path(self.from_) if isinstance(self.from_, str) and not self.own_net else None

    @property
    def own_net(self) -> bool:
        """Whether the scoring net embeds."""
        return self.from_ == "scoring_net"

    @property
    def model(self) -> ModelSpec | None:
        """The other model that embeds, where one does."""
        return self.from_ if isinstance(self.from_, ModelSpec) else None


class ExtrapolateSpec(PluginSection):
    """How the scores of all other samples are predicted."""

    kind: ClassVar[Kind] = "extrapolator"
    name: str = "knn"
    """Extrapolator: `prunectl plugins extrapolator` lists them."""


class PruneSpec(PluginSection):
    """Which samples are kept."""

    kind: ClassVar[Kind] = "policy"
    name_key: ClassVar[str] = "policy"
    policy: str = "top_k"
    """Selection policy: `prunectl plugins policy` lists them."""
    rates: tuple[float, ...]
    """Pruned fractions, each in (0, 1)."""

    @field_validator("rates")
    @classmethod
    def _real_rates(cls, rates: tuple[float, ...]) -> tuple[float, ...]:
        wrong = [f"{rate:g} is not between 0 and 1" for rate in rates if not 0 < rate < 1]
        if wrong:
            raise ValueError("; ".join([*wrong, "a rate is the pruned fraction"]))
        if not rates:
            raise ValueError("at least one rate")
        if len({f"{rate:.4f}" for rate in rates}) != len(rates):
            raise ValueError("rates must differ within four decimals")
        return rates


class ComputeSpec(Section):
    """Where and how it is computed. Only precision and deterministic change results."""

    device: str = Field(default="auto", pattern=_DEVICE.pattern)
    """auto, cpu, cuda:0 or mps."""

    @field_validator("device", mode="before")
    @classmethod
    def _known_device(cls, device: Any) -> Any:
        if not (isinstance(device, str) and _DEVICE.match(device)):
            raise ValueError(f"{device!r} is none of auto, cpu, mps, cuda:0, cuda:1 and so on")
        return device

    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """auto is bf16 on CUDA only."""
    threads: int | None = Field(default=None, ge=1)
    """CPU threads; null takes all cores."""
    deterministic: bool = True
    """Deterministic kernels, so that a resumed run ends bit-identical."""
    checkpoint_every: Seconds = Seconds(600.0)
    """Longest time without a checkpoint inside an epoch."""
    keep_models: Literal["none", "scoring", "all"] = "none"
    """Which weights are copied into the run folder."""


class TrackingSpec(Section):
    """Experiment tracking. Never part of a result, never on the training path."""

    enabled: bool = True
    """Send the run to MLflow, from a process of its own."""
    uri: str | None = None
    """Server or SQLite URI; null: $MLFLOW_TRACKING_URI, else a store in the runs folder."""
    experiment: str | None = Field(default=None, min_length=1, max_length=500)
    """MLflow experiment; null is prunectl."""


class Spec(Section):
    """One experiment: one dataset, subset, score, extrapolator, policy; several seeds and rates."""

    name: str = Field(default="run", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,59}$")
    """Short name; part of the run folder's name."""
    data: DataSpec
    paradigm: ParadigmSpec = ParadigmSpec()
    model: ModelSpec
    subset: SubsetSpec
    seeds: tuple[int, ...] = (0, 1, 2)
    """Each seed redraws subset, scoring run and retraining."""

    @field_validator("seeds")
    @classmethod
    def _real_seeds(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if not seeds or len(set(seeds)) != len(seeds) or min(seeds) < 0:
            raise ValueError("one or more different integers, none negative")
        return seeds

    train: TrainSpec
    score: ScoreSpec
    embed: EmbedSpec = EmbedSpec()
    extrapolate: ExtrapolateSpec = ExtrapolateSpec()
    prune: PruneSpec
    retrain: RetrainSpec
    baselines: tuple[
        Literal[
            "random",
            "full",
            "subset_only",
            "true_random",
            "direct",
            "full_scores",
            "rs2",
            "infobatch",
        ],
        ...,
    ] = (
        "random",
        "full",
    )
    """What the method is compared with; rs2 and infobatch draw every epoch anew, keeping no set."""

    @field_validator("baselines")
    @classmethod
    def _different_baselines(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) != len(names):
            raise ValueError("each at most once")
        return names

    reference: Literal["none", "full"] = "none"
    """full: also score with all data, once per seed; measures, and never helps."""
    compute: ComputeSpec = ComputeSpec()
    tracking: TrackingSpec = TrackingSpec()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able mapping that parses back to an equal spec."""
        plain: dict[str, Any] = self.model_dump(mode="json", by_alias=True)
        return plain

    def to_yaml(self) -> str:
        """The spec as YAML, keys in reading order."""
        text: str = yaml.safe_dump(self.to_dict(), sort_keys=False, allow_unicode=True)
        return text

    def identity(self) -> str:
        """Hash of everything that can change a result."""
        plain = self.to_dict()
        for key in ("name", "tracking"):
            plain.pop(key)
        for key in ("device", "threads", "checkpoint_every", "keep_models"):
            plain["compute"].pop(key)
        return digest(plain)
