"""Graph networks: the sampled tree, the receptive field, labels, and large norms."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from core.errors import UserError
from core.extrapolators import _gnn, gnn
from core.extrapolators.base import others
from core.graph import symmetric
from core.metrics import spearman
from core.testing.extrapolators import problem

RNG = np.random.default_rng
QUICK = gnn.Params(k=6, hidden=32, epochs=60, members=1)


@pytest.fixture(scope="module")
def case():
    return problem()


@pytest.mark.parametrize("kind", ["gcn", "sage"])
def test_edges_drawn_often_sum_what_all_edges_sum(case, kind):
    graph = _gnn.adjacency(kind, symmetric(case.x.neighbors, 4))
    roots = np.array([3, 8])
    nodes, weights = _gnn.drawn(graph, roots, 3000, RNG(0))
    values = RNG(1).standard_normal(len(case.x))
    np.testing.assert_allclose(
        (weights * values[nodes]).sum(axis=1), (graph @ values)[roots], atol=0.1
    )
    nodes, _ = _gnn.drawn(graph, np.array([3, 8, 3]), 2, RNG(0))
    assert nodes.shape == (3, 2)
    assert all(
        graph[root, one] > 0 for root, row in zip([3, 8, 3], nodes, strict=True) for one in row
    )


@pytest.mark.parametrize("kind", ["gcn", "sage"])
def test_a_network_is_the_formula_it_is_named_after(case, kind):
    """Against dense float64 matrices, and a sample three hops away changes nothing."""
    graph = _gnn.adjacency(kind, symmetric(case.x.neighbors, 4))
    rows = torch.from_numpy(gnn.node_features(case.x, QUICK))
    net = _gnn.GraphNet(kind, rows.shape[1], 2, QUICK)
    everyone = np.arange(len(case.x))
    found = _gnn.predict(net, _gnn.Inputs.made(rows.numpy(), graph, "cpu"), everyone)
    dense = torch.from_numpy(graph.toarray()).double()

    def layer(conv, x):
        weights = {k: v.detach().double() for k, v in conv.state_dict().items()}
        if kind == "gcn":
            return torch.relu(dense @ x @ weights["lin.weight"].T + weights["bias"])
        around = dense @ x @ weights["lin_l.weight"].T + weights["lin_l.bias"]
        return torch.relu(around + x @ weights["lin_r.weight"].T)

    hidden = layer(net.second, layer(net.first, rows.double()))
    torch.testing.assert_close(found.double(), net.head.double()(hidden), atol=1e-4, rtol=1e-4)
    two_hops = (np.linalg.matrix_power(graph.toarray() + np.eye(len(case.x)), 2) > 0)[0]
    moved = rows.clone()
    moved[~torch.from_numpy(two_hops)] += 9
    net.head.float()
    again = _gnn.predict(net, _gnn.Inputs.made(moved.numpy(), graph, "cpu"), everyone)
    torch.testing.assert_close(again[0], found[0])
    assert not torch.equal(again, found)


@pytest.mark.parametrize("batch", ["full", 32])
@pytest.mark.parametrize("kind", ["gcn", "sage"])
def test_whole_and_sampled_training_both_learn(case, kind, batch):
    params = replace(QUICK, layers=kind, batch=batch, epochs=60 if batch == "full" else 15)
    out = gnn.make(params).fit_predict(case.x, case.ids, case.scores, params, RNG(0))
    todo = others(case.x, case.ids)
    assert spearman(out.values[todo, 0], case.truth[todo, 0]) > 0.8


def test_labels_of_unscored_samples_are_used_only_when_asked_for(case):
    assert "labels" not in gnn.make(gnn.Params()).needs
    asked = replace(QUICK, use_labels=True)
    assert "labels" in gnn.make(asked).needs
    some = case.x.labels.copy()
    some[::2] = -1
    rows = gnn.node_features(replace(case.x, labels=some), asked)
    assert rows.shape[1] == 6 + 5
    assert (rows[::2, 6:] == 0).all() and (rows[1::2, 6:].sum(axis=1) == 1).all()
    assert gnn.node_features(case.x, QUICK).shape[1] == 6


def test_many_scored_samples_are_taken_in_parts_unless_told_otherwise():
    assert gnn._full(gnn.Params(), 200) and not gnn._full(gnn.Params(), 10_000)
    assert gnn._full(gnn.Params(batch="full"), 10_000)
    assert not gnn._full(gnn.Params(batch=64), 200)


def test_principal_components_are_those_of_the_covariance():
    rows = RNG(3).standard_normal((200, 7)).astype(np.float32) @ np.diag([5, 4, 3, 1, 1, 1, 1])
    rows -= rows.mean(axis=0)
    found = gnn._components(rows.astype(np.float32), 3)
    kept = np.linalg.svd(rows, full_matrices=False)[2][:3]
    np.testing.assert_allclose(found @ found.T, kept.T @ kept, atol=1e-3)  # the same subspace
    few = gnn.node_features(problem(width=9).x, replace(QUICK, components=4))
    assert few.shape[1] == 4
    assert np.square(few).sum(axis=1).mean() == pytest.approx(gnn._LENGTH**2, rel=1e-4)


@pytest.mark.parametrize(
    "option", [{"k": 0}, {"members": 0}, {"batch": 0}, {"dropout": 1.0}, {"components": -1}]
)
def test_impossible_options_are_refused(option):
    with pytest.raises(UserError, match=rf"extrapolate\.{next(iter(option))}"):
        gnn.make(gnn.Params(**option))
