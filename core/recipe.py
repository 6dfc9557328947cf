"""The recipe of a training: its sections of the spec."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from core.errors import nearest
from core.section import Section
from core.units import Duration

AUGMENTATIONS = ("crop", "flip", "cutout")


class OptimizerSpec(Section):
    """The optimiser."""

    @model_validator(mode="before")
    @classmethod
    def _usual_settings(cls, given: Any) -> Any:
        """A rate that suits SGD is a hundred times too high for Adam."""
        usual = {"adam": {"lr": 1e-3, "weight_decay": 0.0}, "adamw": {"lr": 1e-3}}
        if isinstance(given, dict) and given.get("name") in ("adam", "adamw"):
            return {"weight_decay": 1e-2, **usual[given["name"]], **given}
        return given

    name: Literal["sgd", "adam", "adamw"] = "sgd"
    """sgd is SGD with Nesterov momentum."""
    lr: float = Field(default=0.1, gt=0)
    """Peak learning rate; adam and adamw: 0.001 when not given."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    """Nesterov momentum; beta1 for adam and adamw."""
    weight_decay: float = Field(default=5e-4, ge=0)
    """L2 penalty (decoupled for adamw); adam: 0, adamw: 0.01 when not given."""


class ScheduleSpec(Section):
    """Learning rate over the steps."""

    name: Literal["constant", "cosine", "one_cycle", "piecewise"] = "cosine"
    """constant, cosine to zero, one-cycle, or piecewise: a tenth from half of the steps on, a
    hundredth from three quarters on."""
    warmup: float = Field(default=0.0, ge=0, lt=1)
    """Share of the steps that warm up linearly (one_cycle: its rising share, 0 means 0.3)."""


class TrainSpec(Section):
    """The scoring run's recipe."""

    epochs: Duration
    """Length: '15ep' or '2000st'."""
    batch: int = Field(default=128, ge=1)
    """Samples a step."""
    optimizer: OptimizerSpec = OptimizerSpec()
    schedule: ScheduleSpec = ScheduleSpec()
    augment: tuple[str, ...] = ()
    """Any of crop, flip, cutout; 'crop:4' and 'cutout:8' set pixels."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Share of the target spread over all classes."""
    generated_fraction: float | None = Field(default=None, gt=0, lt=1)
    """Share of every batch that is drawn from generated samples, the rest from real ones; null: all
    samples alike, each once an epoch."""
    replacement: bool = False
    """Draw the generated share with replacement, as published; false: all of them in turn."""
    epoch: Literal["pool", "real"] = "pool"
    """Length of an epoch: pool: as many samples as are trained on; real: as the real training set
    has, as published: pruning then saves data, not time."""
    evaluate: Literal["end"] | Duration = "end"
    """When the test set is evaluated: end, or every '1ep'. Never used to choose anything."""

    @field_validator("augment")
    @classmethod
    def _known_augmentations(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        wrong = []
        for entry in entries:
            name, _, pixels = entry.partition(":")
            if name not in AUGMENTATIONS:
                wrong.append(f"'{entry}' is unknown; {nearest(name, AUGMENTATIONS)}")
            elif pixels and not pixels.isdigit():
                wrong.append(f"'{entry}': pixels after the colon must be a whole number")
        if wrong:
            raise ValueError("; ".join(wrong))
        return entries


class RetrainSpec(TrainSpec):
    """The retrainings' recipe; what is not given is taken from train."""

    budget: Literal["epochs", "steps", "seconds"] = "epochs"
    """epochs: cost falls with the rate; steps: as many as full, so retraining saves nothing;
    seconds: as long as full trained, evaluation not counted, so results depend on the machine."""
