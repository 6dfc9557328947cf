"""Probability, margin and entropy, by hand."""

import math

import torch

from core.scores.base import Batch
from core.training.dynamics import Dynamics, numbers

PROBS = torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.9, 0.0]])


def test_numbers_by_hand():
    own = numbers(PROBS, torch.tensor([1, 1]))
    entropy = [0.5 * math.log(2) + 0.5 * math.log(4), -0.1 * math.log(0.1) - 0.9 * math.log(0.9)]
    expected = torch.tensor([[0.25, -0.25, entropy[0]], [0.9, 0.8, entropy[1]]])
    torch.testing.assert_close(own, expected)
    top = numbers(PROBS, None)  # without labels: the most probable class
    expected = torch.tensor([[0.5, 0.25, entropy[0]], [0.9, 0.8, entropy[1]]])
    torch.testing.assert_close(top, expected)


def test_unlabelled_samples_are_watched_and_state_goes_round():
    made = Dynamics(3, (1, 4), False, torch.device("cpu"))
    targets = torch.tensor([-1, -1])
    made.observe(4, Batch(torch.tensor([2, 0]), PROBS.log(), targets))
    table = made.finalize()
    assert made.bytes_per_sample == 24 and table.shape == (3, 2, 3)
    torch.testing.assert_close(table[2, 1], numbers(PROBS, None)[0])
    assert not table[:, 0].any() and not table[1].any()
    other = Dynamics(3, (1, 4), False, torch.device("cpu"))
    other.load_state_dict(made.state_dict())
    assert torch.equal(other.finalize(), table)
