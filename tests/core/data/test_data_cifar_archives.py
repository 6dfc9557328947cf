"""CIFAR-100, archives that are read as they are, and what a download leaves."""

from __future__ import annotations

import pickle
import threading
import warnings
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from cifar_files import (
    CLASSES_100,
    FOLDER,
    FOLDER_100,
    pack,
    publish,
    write_cifar,
    write_cifar100,
)  # fmt: skip

from core.data.prepare import prepare_dataset, prepared_info
from core.errors import MachineError, Stopped, UserError
from core.testing.data import PlainDataSpec

ARCHIVE = "cifar-10-python.tar.gz"


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "web").mkdir()
    sums = write_cifar(tmp_path / "web")
    packed = pack(tmp_path / "web", FOLDER, ARCHIVE)
    publish(monkeypatch, sums, packed)
    return packed


def _spec(root: Path, name: str = "cifar10", *, download: bool = False) -> PlainDataSpec:
    return PlainDataSpec(name, root=root, params={"download": download})


def test_cifar100_has_the_fine_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(monkeypatch, write_cifar100(tmp_path / "src"))
    dataset = prepare_dataset(_spec(tmp_path / "src", "cifar100"), tmp_path / "cache")
    assert dataset.classes == tuple(CLASSES_100)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with (tmp_path / "src" / FOLDER_100 / "train").open("rb") as handle:
            wrote = pickle.load(handle, encoding="latin1")
    assert dataset.train.targets.tolist() == wrote["fine_labels"]
    expected = wrote["data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    assert np.array_equal(dataset.train.inputs, expected)
    assert len(dataset.test) == 100


def test_cifar100_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cifar100 lacks train, test, meta in .*cifar-100-python"):
        prepared_info(_spec(tmp_path, "cifar100"), tmp_path / "cache")


def test_cifar100s_checksums_are_torchvisions() -> None:
    from torchvision.datasets import CIFAR100

    from core.data.cifar100 import SET

    assert (SET.folder, SET.archive) == (CIFAR100.base_folder, CIFAR100.filename)
    known = [*CIFAR100.train_list, *CIFAR100.test_list, [CIFAR100.meta["filename"], ""]]
    assert sorted(SET.files) == sorted(name for name, _ in known)


def test_an_archive_is_read_without_unpacking_it_there(archive: Path, tmp_path: Path) -> None:
    found = prepare_dataset(_spec(archive.parent), tmp_path / "cache")
    assert (len(found.train), len(found.test)) == (100, 20)
    assert [file.name for file in archive.parent.iterdir()] == [ARCHIVE]
    assert not list((tmp_path / "cache").glob("**/work"))


def test_a_truncated_archive_is_named(archive: Path, tmp_path: Path) -> None:
    archive.write_bytes(archive.read_bytes()[:5000])
    with pytest.raises(UserError, match=f"{ARCHIVE} is truncated: 5,000 of 170,498,071 bytes"):
        prepare_dataset(_spec(archive.parent), tmp_path / "cache")


def test_what_is_missing_is_downloaded_once(archive: Path, tmp_path: Path) -> None:
    spec = _spec(tmp_path / "new", download=True)
    with pytest.raises(UserError, match="they download it first"):
        prepared_info(spec, tmp_path / "cache")
    first = prepare_dataset(spec, tmp_path / "cache")
    assert [file.name for file in (tmp_path / "new").iterdir()] == [ARCHIVE]
    archive.unlink()  # the network is gone
    assert prepare_dataset(spec, tmp_path / "cache").folder == first.folder
    # How the files came is not part of what they are.
    assert prepared_info(replace(spec, params={}), tmp_path / "cache") is not None


def test_nothing_is_downloaded_unasked(archive: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="lacks .* or set data.download: true"):
        prepare_dataset(_spec(tmp_path / "new"), tmp_path / "cache")
    assert not (tmp_path / "new").exists()


def test_without_a_network_it_says_what_to_do(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvision.datasets import CIFAR10

    monkeypatch.setattr(CIFAR10, "url", "http://127.0.0.1:1/cifar.tar.gz")
    with pytest.raises(MachineError) as caught:
        prepare_dataset(_spec(tmp_path / "new", download=True), tmp_path / "cache")
    assert "cannot download http://127.0.0.1:1/cifar.tar.gz: " in caught.value.what
    assert f"put it into {tmp_path / 'new'}" in caught.value.todo
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "new").iterdir())


class _Half(BaseHTTPRequestHandler):
    """Promises 2,000 bytes, sends 1,000 and hangs up."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2000")
        self.end_headers()
        self.wfile.write(b"x" * 1000)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def half_server() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Half)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/cifar.tar.gz"
    server.shutdown()
    server.server_close()
    thread.join(10)


def test_a_broken_download_leaves_nothing(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, half_server: str
) -> None:
    from torchvision.datasets import CIFAR10

    monkeypatch.setattr(CIFAR10, "url", half_server)
    with pytest.raises(MachineError, match="not the published file|cannot download"):
        prepare_dataset(_spec(tmp_path / "new", download=True), tmp_path / "cache")
    assert not list((tmp_path / "new").iterdir())


def test_a_download_can_be_stopped(archive: Path, tmp_path: Path) -> None:
    def stop() -> None:
        raise Stopped("stopped")

    with pytest.raises(Stopped):
        prepare_dataset(_spec(tmp_path / "new", download=True), tmp_path / "cache", check=stop)
    assert not list((tmp_path / "new").iterdir())
