"""EDM pictures from small .npz files, beside real pictures from small CIFAR files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cifar_files import publish, write_cifar, write_edm

from core.data import _npz, cifar10
from core.data._npz import open_members
from core.data.prepare import prepare_dataset
from core.errors import UserError
from core.spec import Spec
from core.spec_load import parse_spec
from core.spec_set import override
from core.testing.data import PlainDataSpec


@pytest.fixture
def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    publish(monkeypatch, write_cifar(tmp_path / "real"))
    return tmp_path / "real"


def _spec(file: Path, real: Path, n: int | None = None, **params: Any) -> PlainDataSpec:
    given = {"real_root": str(real), **params}
    return PlainDataSpec("synthetic_cifar", root=file, n=n, params=given)


@pytest.mark.parametrize("compressed", [False, True])
def test_alone_it_is_the_training_set(
    real: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compressed: bool
) -> None:
    monkeypatch.setattr(_npz, "_BLOCK_BYTES", 5 * 3072)  # so that 60 pictures are many blocks
    file = write_edm(tmp_path / "edm.npz", compressed=compressed)
    found = prepare_dataset(_spec(file, real), tmp_path / "cache")
    wrote = np.load(file)
    assert np.array_equal(found.train.inputs, wrote["image"])
    assert np.array_equal(found.train.targets, wrote["label"])
    assert found.train.source is not None and (found.train.source == 1).all()
    assert found.test.source is not None and (found.test.source == 0).all()
    assert len(found.test) == 20 and found.classes[:2] == ("airplane", "automobile")


def test_joined_the_real_samples_come_first(real: Path, tmp_path: Path) -> None:
    file = write_edm(tmp_path / "edm.npz")
    found = prepare_dataset(_spec(file, real, n=45, join=True), tmp_path / "cache")
    train, _, _ = cifar10.SET.read(real, tmp_path / "work")
    wrote = np.load(file)
    assert found.train.source is not None
    assert found.train.source.tolist() == [0] * 100 + [1] * 45
    assert np.array_equal(found.train.inputs[:100], train.inputs)
    assert np.array_equal(found.train.inputs[100:], wrote["image"][:45])
    assert np.array_equal(found.train.targets[:100], train.targets)
    assert np.array_equal(found.train.targets[100:], wrote["label"][:45])


def test_uncompressed_pictures_are_mapped_where_they_lie(tmp_path: Path) -> None:
    image, _ = open_members(write_edm(tmp_path / "edm.npz"), ("image", "label"))
    mapped = image.open(tmp_path / "unused.npy")
    assert not mapped.flags.owndata and not mapped.flags.writeable
    base: Any = mapped
    while not isinstance(base, np.memmap):
        base = base.base
    assert not (tmp_path / "unused.npy").exists()


@pytest.mark.parametrize("compressed", [False, True])
def test_a_changed_byte_is_found(real: Path, tmp_path: Path, compressed: bool) -> None:
    file = write_edm(tmp_path / "edm.npz", compressed=compressed)
    content = bytearray(file.read_bytes())
    content[50_000] ^= 1
    file.write_bytes(content)
    with pytest.raises(UserError, match=r"image in .*edm.npz is damaged; get or write"):
        prepare_dataset(_spec(file, real), tmp_path / "cache")


def test_a_truncated_file_is_named(real: Path, tmp_path: Path) -> None:
    file = write_edm(tmp_path / "edm.npz")
    file.write_bytes(file.read_bytes()[:-500])
    with pytest.raises(UserError, match="is not a readable .npz file, or is truncated"):
        prepare_dataset(_spec(file, real), tmp_path / "cache")


_GOOD = {"image": np.zeros((12, 32, 32, 3), np.uint8), "label": np.arange(12) % 10}


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"images": _GOOD["image"], "label": _GOOD["label"]}, r"lacks image \(it holds images, la"),
        ({**_GOOD, "label": np.arange(11)}, "12 pictures but 11 labels"),
        ({**_GOOD, "label": np.arange(12)}, r"2 train labels outside 0..9 \(found 10, 11\)"),
        ({**_GOOD, "label": np.ones((12, 10))}, r"label in .* is float64 \[12, 10\]; it has to"),
        ({**_GOOD, "image": np.zeros((12, 3, 32, 32), np.uint8)}, r"is uint8 \[12, 3, 32, 32\]"),
        ({**_GOOD, "image": np.zeros((12, 32, 32, 3), np.float32)}, r"image in .* is float32"),
        ({**_GOOD, "label": np.array([None] * 12)}, "label in .* holds Python objects"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(
    real: Path, tmp_path: Path, arrays: dict[str, Any], said: str
) -> None:
    np.savez(tmp_path / "edm.npz", **arrays)
    with pytest.raises(UserError, match=said):
        prepare_dataset(_spec(tmp_path / "edm.npz", real), tmp_path / "cache")
    assert not [p for p in (tmp_path / "cache").glob("*") if p.is_dir()]


def test_more_than_there_are_cannot_be_taken(real: Path, tmp_path: Path) -> None:
    file = write_edm(tmp_path / "edm.npz")
    with pytest.raises(UserError, match="data.n is 61, but .* holds 60 pictures"):
        prepare_dataset(_spec(file, real, n=61), tmp_path / "cache")


def test_the_real_files_are_needed(tmp_path: Path) -> None:
    file = write_edm(tmp_path / "edm.npz")
    params = {"real": "cifar100", "real_root": str(tmp_path)}
    spec = PlainDataSpec("synthetic_cifar", root=file, params=params)
    with pytest.raises(UserError, match="cifar100 lacks train, test, meta in"):
        prepare_dataset(spec, tmp_path / "cache")


def test_a_hyphen_will_do_in_its_name(make_spec: Any) -> None:
    spec: Spec = make_spec(data={"name": "synthetic-cifar", "root": "x.npz"})
    assert spec.data.name == "synthetic_cifar"
    assert spec.data.params["join"] is False


def test_a_hyphen_will_do_on_the_command_line_too(plain_spec: Any) -> None:
    before = plain_spec(data={"name": "procedural", "contrast": 0.3})
    changed = override(before, ["data.name=synthetic-cifar", "data.root=x.npz"])
    assert parse_spec(changed).data.name == "synthetic_cifar"
