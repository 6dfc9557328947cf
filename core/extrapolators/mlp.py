"""An ensemble of small neural networks on embeddings and labels.

A multi-layer perceptron per fifth of the scored samples; each is trained without its own fifth,
which decides at which epoch it is taken. Values are the ensemble's mean; the std adds the spread of
the members to their errors on the fifths they did not see (Lakshminarayanan et al. 1612.01474).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from core.errors import UserError
from core.extrapolators import _design, base
from core.extrapolators.base import Features, Floats, Ids, Prediction

if TYPE_CHECKING:
    from torch import Tensor, nn

MEMBERS = 5
_PATIENCE = 20  # epochs without a better one


@dataclass(frozen=True)
class Params:
    """Options of the section ``extrapolate``."""

    hidden: int = 256
    """Width of both hidden layers."""
    dropout: float | Literal["auto"] = "auto"
    """Share of hidden units dropped in training; auto compares 0.1 and 0.5."""
    epochs: int = 100
    """Passes over the scored samples at most."""
    lr: float = 0.001
    """Learning rate of AdamW."""
    weight_decay: float = 0.01
    """Decoupled penalty of AdamW."""
    batch: int = 128
    """Samples a step."""
    use_labels: bool | Literal["auto"] = "auto"
    """Join the one-hot label; auto: where every sample has one."""
    use_predictions: bool = False
    """Join the subset net's class probabilities, which are in-sample on the scored part."""


class Mlp(base.Extrapolator[Params]):
    """Candidates are the shares of dropout that ``given`` leaves open."""

    def __init__(self, given: Params) -> None:
        if min(given.hidden, given.epochs, given.batch) < 1:
            raise UserError("extrapolate.hidden, epochs and batch must be at least 1")
        if given.dropout != "auto" and not 0 <= given.dropout < 1:
            raise UserError(f"extrapolate.dropout is {given.dropout:g}", "give 0 to 0.9, or auto")
        self.given = given
        self.needs = _design.needs(given.use_labels, given.use_predictions)

    def candidates(self, m: int) -> list[Params]:
        """One setting per dropout."""
        shares = (0.1, 0.5) if self.given.dropout == "auto" else (self.given.dropout,)
        return [replace(self.given, dropout=share) for share in shares]

    def fit_predict(
        self,
        x: Features,
        ids: Ids,
        scores: Floats,
        params: Params,
        rng: np.random.Generator,
        targets: Ids | None = None,
    ) -> Prediction:
        """Train all members, predict block by block."""
        import torch

        targets = base.others(x, ids) if targets is None else targets
        inputs = _design.design(x, ids, self.given.use_labels, self.given.use_predictions)
        trained = Ensemble(torch.from_numpy(inputs.rows(ids)), scores, params, rng, x.device)
        out = Prediction.empty(len(x), scores.shape[1])
        return inputs.fill(out, targets, trained.predict)


def make(params: Params) -> Mlp:
    """The extrapolator with the user's options."""
    return Mlp(params)


class Ensemble:
    """Perceptrons of rows ``[m, D]`` and standardised scores ``[m, S]``."""

    def __init__(
        self, rows: Tensor, scores: Floats, params: Params, rng: np.random.Generator, device: str
    ) -> None:
        import torch

        self.device, self.mean = device, scores.mean(axis=0)
        self.scale = np.where((spread := scores.std(axis=0)) > 0, spread, 1)
        targets = torch.from_numpy(((scores - self.mean) / self.scale).astype(np.float32))
        rows, targets = rows.to(device), targets.to(device)
        count = min(MEMBERS, len(rows))
        fold = rng.permutation(len(rows)) % count
        self.members: list[nn.Module] = []
        errors = torch.zeros_like(targets)
        for member in range(count):
            outside = torch.from_numpy(np.flatnonzero(fold == member)).to(device)
            inside = torch.from_numpy(np.flatnonzero(fold != member)).to(device)
            if not len(inside):
                inside = outside
            net = train_member(rows, targets, inside, outside, params, int(rng.integers(2**62)))
            with torch.no_grad():
                errors[outside] = targets[outside] - net(rows[outside])
            self.members.append(net)
        self.noise = errors.square().mean(0).cpu().numpy()

    def predict(self, rows: Floats) -> tuple[Floats, Floats]:
        """Values and std, float32 ``[n, S]``."""
        import torch

        with torch.no_grad():
            given = torch.from_numpy(rows).to(self.device)
            found = torch.stack([net(given) for net in self.members]).double().cpu().numpy()
        values = self.mean + self.scale * found.mean(axis=0)
        spread = self.scale * np.sqrt(found.var(axis=0) + self.noise)
        return values.astype(np.float32), spread.astype(np.float32)


def train_member(
    rows: Tensor, targets: Tensor, inside: Tensor, outside: Tensor, params: Params, seed: int
) -> nn.Module:
    """One perceptron trained on the rows ``inside``, taken at its best epoch on ``outside``.

    Nothing of torch's global random state is read or changed.
    """
    import torch

    with torch.random.fork_rng([rows.device] if rows.is_cuda else []):
        torch.manual_seed(seed)
        net = _net(rows.shape[1], targets.shape[1], params).to(rows.device)
        optimizer = torch.optim.AdamW(
            net.parameters(), lr=params.lr, weight_decay=params.weight_decay
        )
        best, best_loss, since = _copy(net), float("inf"), 0
        for _ in range(params.epochs):
            net.train()
            order = inside[torch.randperm(len(inside)).to(inside.device)]
            for part in torch.split(order, params.batch):
                optimizer.zero_grad()
                loss = torch.nn.functional.mse_loss(net(rows[part]), targets[part])
                torch.autograd.backward(loss)
                optimizer.step()
            net.eval()
            with torch.no_grad():
                reached = float((net(rows[outside]) - targets[outside]).square().mean())
            since += 1
            if reached < best_loss:
                best, best_loss, since = _copy(net), reached, 0
            if since >= _PATIENCE:
                break
    net.load_state_dict(best)
    return net.eval()


def _net(width: int, scores: int, params: Params) -> nn.Module:
    from torch import nn

    if params.dropout == "auto":
        raise ValueError("dropout is still open: take one of candidates(m)")
    return nn.Sequential(
        nn.Linear(width, params.hidden), nn.ReLU(), nn.Dropout(params.dropout),
        nn.Linear(params.hidden, params.hidden), nn.ReLU(), nn.Dropout(params.dropout),
        nn.Linear(params.hidden, scores),
    )  # fmt: skip


def _copy(net: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in net.state_dict().items()}
