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
    found = _gnn.predict(net, _gnn.Inputs.made(kind, rows.numpy(), graph, "cpu"), everyone)
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
    again = _gnn.predict(net, _gnn.Inputs.made(kind, moved.numpy(), graph, "cpu"), everyone)
    torch.testing.assert_close(again[0], found[0])
    assert not torch.equal(again, found)


@pytest.mark.parametrize("kind", ["gcn", "sage"])
def test_many_are_predicted_as_few_are(case, kind, monkeypatch):
    inputs = task(case, kind).inputs
    net = _gnn.GraphNet(kind, 6, 2, QUICK)
    everyone = RNG(1).permutation(len(case.x))
    many = _gnn.predict(net, inputs, everyone)
    few = torch.cat([_gnn.predict(net, inputs, everyone[i : i + 9]) for i in range(0, 300, 9)])
    torch.testing.assert_close(many, few, atol=1e-5, rtol=1e-4)
    monkeypatch.setattr(_gnn, "_HELD", 10)
    monkeypatch.setattr(_gnn, "_BLOCK", 70)
    torch.testing.assert_close(_gnn.predict(net, inputs, everyone), many, atol=1e-5, rtol=1e-4)


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


def test_node_features_are_components_on_one_scale():
    few = gnn.node_features(problem(width=9).x, replace(QUICK, components=4))
    assert few.shape[1] == 4
    assert np.square(few).sum(axis=1).mean() == pytest.approx(gnn._LENGTH**2, rel=1e-4)
    assert np.abs(few.T @ few / len(few) - np.diag(few.var(axis=0))).max() < 1e-4  # uncorrelated
    rows = problem(width=9).x.embeddings.astype(np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    rows *= gnn._LENGTH / 3  # nine columns of variance one
    np.testing.assert_allclose(gnn.node_features(problem(width=9).x, QUICK), rows, atol=1e-5)


def test_components_that_say_too_little_are_not_read():
    case = problem(width=9)
    cloud = replace(case.x, embeddings=RNG(0).standard_normal((300, 9)).astype(np.float32))
    assert gnn.node_features(cloud, replace(QUICK, components=3)).shape[1] == 9
    assert gnn.node_features(cloud, replace(QUICK, components=8)).shape[1] == 8


def task(case, kind="sage", full=False):
    graph = _gnn.adjacency(kind, symmetric(case.x.neighbors, 6))
    inputs = _gnn.Inputs.made(kind, gnn.node_features(case.x, QUICK), graph, "cpu")
    wanted = torch.from_numpy(_gnn.standardised(case.scores)[0])
    order = RNG(2).permutation(len(case.ids))
    return _gnn.Task(kind, inputs, case.ids, wanted, order[10:], order[:10], full)


@pytest.mark.parametrize(("full", "looks"), [(False, [3, 6, 9, 12]), (True, [4])])
def test_there_is_a_look_an_epoch_or_every_few_steps(case, full, looks):
    given = task(case, full=full)  # 80 that fit: three steps of 32
    net = _gnn.GraphNet("sage", 6, 2, QUICK)
    steps = list(_gnn._steps(given, net, replace(QUICK, epochs=4, batch=32), RNG(0)))
    assert [at for at, (_, _, look) in enumerate(steps, 1) if look] == looks
    assert [len(truth) for _, truth, _ in steps[:3]] == ([80] * 3 if full else [32, 32, 16])
    shown = torch.cat([truth for _, truth, _ in steps[:3]])[:80]
    everyone = given.targets[given.inside]
    torch.testing.assert_close(shown.sort(0).values, everyone.sort(0).values)  # each once an epoch


def test_what_is_kept_is_the_running_mean_of_the_steps(case, monkeypatch):
    """Against the parameters after every step, averaged in a loop."""
    seen = []
    adam = torch.optim.Adam.step

    def step(self, *args):
        out = adam(self, *args)
        seen.append([p.detach().clone() for p in self.param_groups[0]["params"]])
        return out

    monkeypatch.setattr(torch.optim.Adam, "step", step)
    given = task(case)
    net = _gnn.train(given, replace(QUICK, epochs=3, batch=32, patience=99), 5)
    mean, best, kept = None, np.inf, None
    wanted = given.targets[given.outside]
    field = _gnn.Field.of(given.inputs, given.ids[given.outside])
    for at, now in enumerate(seen, 1):
        share = max(1 / at, _gnn._NEWEST)
        mean = (
            now
            if at == 1
            else [m * (1 - share) + n * share for m, n in zip(mean, now, strict=True)]
        )
        if at % 3 == 0:
            judge = _gnn.GraphNet("sage", 6, 2, QUICK).eval()
            for p, m in zip(judge.parameters(), mean, strict=True):
                p.data.copy_(m)
            with torch.no_grad():
                loss = float((field.forward(judge) - wanted).square().mean())
            if loss < best:
                best, kept = loss, mean
    assert len(seen) == 9
    for p, k in zip(net.parameters(), kept, strict=True):
        torch.testing.assert_close(p.detach(), k, atol=1e-5, rtol=1e-4)


def test_training_ends_where_looks_gain_nothing(case):
    """Targets that nothing explains: no look after the first few is better."""
    given = task(case)
    noise = torch.from_numpy(RNG(9).standard_normal(given.targets.shape).astype(np.float32))
    calls = []
    field = _gnn.Field.forward

    def counted(self, net):
        calls.append(1)
        return field(self, net)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_gnn.Field, "forward", counted)
        options = replace(QUICK, epochs=50, batch=32, patience=3)
        _gnn.train(replace(given, targets=noise), options, 0)
    assert 4 <= len(calls) < 25


@pytest.mark.parametrize(
    "option", [{"k": 0}, {"members": 0}, {"batch": 0}, {"dropout": 1.0}, {"components": -1}]
)
def test_impossible_options_are_refused(option):
    with pytest.raises(UserError, match=rf"extrapolate\.{next(iter(option))}"):
        gnn.make(gnn.Params(**option))
