"""Labels added to a run: read from files, checked against the data, kept with the run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.data.bank import Dataset
from core.data.locations import default_cache_root
from core.data.prepare import prepare_dataset
from core.errors import UserError
from core.facts import DataFacts
from core.labels import FILE, add_labels, read_added, unlabelled, with_added
from core.plan.build import build_graph
from core.plan.trials import subset_size
from core.runs import Run
from core.spec import Spec

PATHS = [f"in/{i} it's.png" for i in range(6)]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


@pytest.fixture(scope="module")
def dataset(make_spec: Callable[..., Spec], tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Six samples of two classes, three of them without a label."""
    file = tmp_path_factory.mktemp("labels") / "six.npz"
    x, y = np.zeros((6, 2), dtype=np.float32), np.array([0, 1, -1, -1, 0, -1])
    np.savez(file, x_train=x, y_train=y, x_test=x[:2], y_test=[0, 1], classes=["cat", "7"])
    spec = make_spec(data={"name": "arrays", "root": str(file), "unlabelled": True})
    found = prepare_dataset(spec.data, default_cache_root())
    return replace(found, train=replace(found.train, path=PATHS))


def _add(run: Run, dataset: Dataset, text: str) -> int:
    file = run.path / "given.csv"
    file.write_text(text, encoding="utf-8")
    return add_labels(run, dataset, file)


def test_labels_by_id_name_or_number_are_put_in_place(run: Run, dataset: Dataset) -> None:
    assert _add(run, dataset, "id,label,note\n2,cat,x\n3,7,\n5,1,\n") == 3  # '7' is a name first
    assert read_added(run) == {2: 0, 3: 1, 5: 1}
    whole = with_added(dataset, run)
    assert np.asarray(whole.train.targets).tolist() == [0, 1, 0, 1, 0, 1]
    assert np.asarray(dataset.train.targets).tolist() == [0, 1, -1, -1, 0, -1]
    assert whole.train.fingerprint == dataset.train.fingerprint


def test_labels_come_in_pieces(run: Run, dataset: Dataset) -> None:
    assert with_added(dataset, run) is dataset
    assert _add(run, dataset, f"path,label\n{PATHS[3]},cat\n{PATHS[0]},cat\n") == 1
    np.savez(run.path / "more.npz", ids=[3, 5], labels=[0, 1])
    assert add_labels(run, dataset, run.path / "more.npz") == 1
    assert read_added(run) == {3: 0, 5: 1}
    left = unlabelled(with_added(dataset, run), np.array([1, 2, 3, 5]))
    assert left.tolist() == [2]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("id,label\n2,dog\n", "no class is called 'dog'"),
        ("id,label\n2,\n", "no class is called ''"),
        ("id,label\n9,cat\n", "'9' is no id; ids are whole numbers from 0 to 5"),
        ("id,label\n-1,cat\n", "'-1' is no id"),
        ("id,label\n2,cat\n2,cat\n", "names sample 2 twice"),
        ("id,label\n0,7\n", "sample 0 is labelled 'cat', not '7'"),
        ("path,label\nin/x.png,cat\n", "no training sample is the file 'in/x.png'"),
        ("2,cat\n", "has no columns id or path, and label"),
        ("id,label\n", "holds no label"),
        ('id,label\n2,"cat\n', "is no CSV"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_kept(
    run: Run, dataset: Dataset, text: str, says: str
) -> None:
    with pytest.raises(UserError) as error:
        _add(run, dataset, text)
    assert says in str(error.value)
    assert not (run.path / FILE).exists()


def test_what_is_no_npz_is_refused(run: Run, dataset: Dataset) -> None:
    (run.path / "a.npz").write_bytes(b"PK no")
    np.savez(run.path / "b.npz", ids=[2.5], labels=[0])
    for name, says in (("a", "no arrays ids and labels"), ("b", "no two lists of integers")):
        with pytest.raises(UserError, match=says):
            add_labels(run, dataset, run.path / f"{name}.npz")
    with pytest.raises(UserError, match="there is no file"):
        add_labels(run, dataset, run.path / "c.npz")


Plain = Callable[..., dict[str, Any]]
LABELLED = {"how": "labelled", "fraction": None}


def test_the_subset_is_what_is_labelled(make_spec: Callable[..., Spec]) -> None:
    spec = make_spec(subset=LABELLED)
    facts = DataFacts(100, 10, 4, n_labelled=30)
    assert subset_size(spec, facts) == 30
    for n, says in ((100, "every training sample has a label"), (3, "3 samples are labelled")):
        with pytest.raises(UserError, match=says):
            subset_size(spec, replace(facts, n_labelled=n))


def test_labelled_takes_no_size(plain_spec: Plain) -> None:
    from core.spec_load import parse_spec

    with pytest.raises(UserError, match="labelled takes every labelled sample"):
        parse_spec(plain_spec(subset={"how": "labelled"}))


def test_a_reference_needs_all_labels(make_spec: Callable[..., Spec]) -> None:
    spec = make_spec(subset=LABELLED, reference="full")
    with pytest.raises(UserError, match="70 samples have no label"):
        build_graph([(spec, DataFacts(100, 10, 4, n_labelled=30))])
