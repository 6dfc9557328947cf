"""What every network is: features, then one linear head."""

from __future__ import annotations

from torch import Tensor, nn


class Net(nn.Module):
    """Base of all networks: ``forward`` is ``head(features(x))``.

    A subclass sets ``self.head`` and implements :meth:`features`; nothing else is asked of it.
    ``draws_random`` must be set when the forward pass draws random numbers in a way that is not
    a dropout module, so that the loop can make those draws repeatable.
    """

    head: nn.Linear
    draws_random: bool = False

    @property
    def embedding_dim(self) -> int:
        """Width d of the embedding."""
        return self.head.in_features

    def features(self, x: Tensor) -> Tensor:
        """Embedding ``[B, d]`` of inputs ``[B, C, H, W]`` or ``[B, D]``."""
        raise TypeError(f"{type(self).__name__} does not define features(x)")

    def forward(self, x: Tensor) -> Tensor:
        """Class logits ``[B, classes]``."""
        logits: Tensor = self.head(self.features(x))
        return logits
