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
def test_a_tree_that_draws_often_sums_what_the_whole_graph_sums(case, kind):
    graph = _gnn.adjacency(kind, symmetric(case.x.neighbors, 4))
    nodes, tree = _gnn.sampled(graph, np.array([3, 8]), 3000, 1, RNG(0))
    values = RNG(1).standard_normal(len(case.x))
    assert nodes[:2].tolist() == [3, 8] and tree.shape == (2 + 6000, 2 + 6000)
    np.testing.assert_allclose((tree @ values[nodes])[:2], (graph @ values)[[3, 8]], atol=0.1)


def test_the_tree_is_made_of_edges_and_has_two_levels(case):
    graph = _gnn.adjacency("sage", symmetric(case.x.neighbors, 4))
    nodes, tree = _gnn.sampled(graph, np.array([3, 8, 3]), 2, 2, RNG(0))
    assert len(nodes) == 3 + 6 + 12
    edges = tree.tocoo()
    assert (np.bincount(edges.row, minlength=21) == [2] * 9 + [0] * 12).all()
    for parent, child in zip(edges.row, edges.col, strict=True):
        assert graph[nodes[parent], nodes[child]] > 0


@pytest.mark.parametrize("kind", ["gcn", "sage"])
def test_a_network_is_the_formula_it_is_named_after(case, kind):
    """Against dense float64 matrices, and a sample three hops away changes nothing."""
    graph = _gnn.adjacency(kind, symmetric(case.x.neighbors, 4))
    rows = torch.from_numpy(gnn.node_features(case.x, QUICK))
    net = _gnn.GraphNet(kind, rows.shape[1], 2, QUICK)
    found = _gnn.predict(net, rows, _gnn.as_tensor(graph, "cpu"))
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
    again = _gnn.predict(net, moved, _gnn.as_tensor(graph, "cpu"))
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


def test_large_graphs_are_sampled_unless_told_otherwise():
    assert gnn._full(gnn.Params(), 50_000, 512)
    assert not gnn._full(gnn.Params(), 1_000_000, 512)
    assert gnn._full(gnn.Params(batch="full"), 1_000_000, 512)
    assert not gnn._full(gnn.Params(batch=64), 1_000, 8)


@pytest.mark.parametrize("option", [{"k": 0}, {"members": 0}, {"batch": 0}, {"dropout": 1.0}])
def test_impossible_options_are_refused(option):
    with pytest.raises(UserError, match=rf"extrapolate\.{next(iter(option))}"):
        gnn.make(gnn.Params(**option))
