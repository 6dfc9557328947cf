"""The cache: prepared once, by whoever is first, whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core import locks
from core.data import _npy, arrays, prepare
from core.data.locations import default_cache_root
from core.data.prepare import prepare_dataset, prepared_folder, prepared_info
from core.errors import DiskFull, MachineError, Stopped, UserError
from core.spec import DataSpec
from core.testing.data import PlainDataSpec

X = np.random.default_rng(0).integers(0, 256, (20, 5, 5, 1), dtype=np.uint8)
Y = np.arange(20) % 2


@pytest.fixture
def spec(tmp_path: Path) -> PlainDataSpec:
    np.savez(tmp_path / "mine.npz", x_train=X, y_train=Y, x_test=X, y_test=Y)
    return PlainDataSpec("arrays", root=tmp_path / "mine.npz")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders the plug-in was asked to write."""
    seen: list[Path] = []
    honest = arrays.prepare

    def counted(root: Any, data: Any, out: Path, progress: Any = None) -> Any:
        seen.append(out)
        return honest(root, data, out, progress)

    monkeypatch.setattr(arrays, "prepare", counted)
    return seen


def _folders(cache: Path) -> list[Path]:
    return [path for path in cache.iterdir() if path.is_dir()]


def test_second_time_nothing_is_read(spec: PlainDataSpec, cache: Path, calls: list[Path]) -> None:
    first, again = prepare_dataset(spec, cache), prepare_dataset(spec, cache)
    assert len(calls) == 1 and first.folder == again.folder == prepared_folder(spec, cache)
    assert _folders(cache) == [first.folder] and first.folder.name.startswith("arrays-")


def test_info_before_and_after(spec: PlainDataSpec, cache: Path) -> None:
    assert prepared_info(spec, cache) is None and not cache.exists()
    dataset = prepare_dataset(spec, cache)
    assert prepared_info(spec, cache) == {
        "name": "arrays",
        "n_train": 20,
        "n_test": 20,
        "n_validation": 0,
        "classes": ("0", "1"),
        "input_shape": (1, 5, 5),
        "fingerprint": dataset.fingerprint,
        "folder": dataset.folder,
    }


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"validation": 2}, {"size": 5}, {"params": {"unlabelled": True}}]
)
def test_key_hears_every_option(spec: PlainDataSpec, cache: Path, change: dict[str, Any]) -> None:
    changed = replace(spec, **change)
    assert prepared_folder(changed, cache) != prepared_folder(spec, cache)
    assert prepared_folder(replace(spec), cache) == prepared_folder(spec, cache)


def test_key_hears_a_changed_source_file(spec: PlainDataSpec, cache: Path) -> None:
    assert spec.root is not None
    before = prepare_dataset(spec, cache)
    old = spec.root.stat()
    np.savez(spec.root, x_train=255 - X, y_train=Y, x_test=X, y_test=Y)
    os.utime(spec.root, ns=(old.st_atime_ns, old.st_mtime_ns + 1))
    after = prepare_dataset(spec, cache)
    assert before.folder != after.folder
    assert np.array_equal(after.train.inputs, 255 - X)


def test_relative_and_home_roots(
    spec: PlainDataSpec, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    expected = prepared_folder(spec, cache)
    for root in ("mine.npz", "~/mine.npz"):
        assert prepared_folder(replace(spec, root=Path(root)), cache) == expected


@pytest.mark.parametrize("file", ["dataset.json", "train/inputs.npy", "test/targets.npy"])
@pytest.mark.parametrize("how", ["remove", "flip"])
def test_broken_cache_is_rebuilt(
    spec: PlainDataSpec, cache: Path, calls: list[Path], file: str, how: str
) -> None:
    dataset = prepare_dataset(spec, cache)
    target = dataset.folder / file
    content = bytearray(target.read_bytes())
    target.unlink()
    if how == "flip":
        content[-1] ^= 1
        target.write_bytes(content)
    again = prepare_dataset(spec, cache)
    assert len(calls) == 2 and again.fingerprint == dataset.fingerprint
    assert np.array_equal(again.train.inputs, X)


def test_large_inputs_are_not_read_through(
    spec: PlainDataSpec, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare_dataset(spec, cache)
    read: list[object] = []
    monkeypatch.setattr(prepare, "verify_inputs", read.append)
    monkeypatch.setattr(prepare, "VERIFY_BYTES", 2 * X.nbytes)
    prepare_dataset(spec, cache)
    assert len(read) == 1
    monkeypatch.setattr(prepare, "VERIFY_BYTES", 2 * X.nbytes - 1)
    prepare_dataset(spec, cache)
    assert len(read) == 1


def test_leftovers_of_a_killed_process_are_cleared(
    spec: PlainDataSpec, cache: Path, calls: list[Path]
) -> None:
    partial = cache / f".{prepared_folder(spec, cache).name}.partial"
    (partial / "train").mkdir(parents=True)
    (partial / "train" / "inputs.npy").write_bytes(b"half")
    dataset = prepare_dataset(spec, cache)
    assert calls == [partial] and _folders(cache) == [dataset.folder]


def test_two_at_once_prepare_once(
    spec: PlainDataSpec, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, go, builds, results = threading.Event(), threading.Event(), [0], []
    honest = arrays.prepare

    def slow(root: Any, data: Any, out: Path, progress: Any = None) -> Any:
        builds[0] += 1
        started.set()
        if not go.wait(30):
            raise TimeoutError
        return honest(root, data, out, progress)

    monkeypatch.setattr(arrays, "prepare", slow)
    threads = [
        threading.Thread(target=lambda: results.append(prepare_dataset(spec, cache)))
        for _ in range(2)
    ]
    threads[0].start()
    assert started.wait(30)
    threads[1].start()
    threads[1].join(0.2)
    assert threads[1].is_alive() and not results  # it waits for the first
    go.set()
    for thread in threads:
        thread.join(30)
    assert builds == [1] and len({result.folder for result in results}) == 1 == len(results) - 1


def test_waiting_can_be_given_up(spec: PlainDataSpec, cache: Path) -> None:
    def stop() -> None:
        raise Stopped("asked to stop")

    lock = cache / f".{prepared_folder(spec, cache).name}.lock"
    with locks.locked(lock), pytest.raises(Stopped):
        prepare_dataset(spec, cache, check=stop)
    assert prepare_dataset(spec, cache, check=stop) is not None  # no waiting, nothing to give up


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("bug"), UserError("no")])
def test_failure_leaves_nothing(
    spec: PlainDataSpec, cache: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def failing(root: Any, data: Any, out: Path, progress: Any = None) -> Any:
        (out / "half").write_bytes(b"x")
        raise error

    monkeypatch.setattr(arrays, "prepare", failing)
    with pytest.raises(type(error)):
        prepare_dataset(spec, cache)
    assert _folders(cache) == []


def test_plugin_that_writes_nothing_is_not_sealed(
    spec: PlainDataSpec, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrays, "prepare", lambda root, data, out, progress: None)
    with pytest.raises(MachineError):
        prepare_dataset(spec, cache)
    assert _folders(cache) == []


def test_work_folder_is_not_kept(
    spec: PlainDataSpec, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = arrays.prepare

    def messy(root: Any, data: Any, out: Path, progress: Any = None) -> Any:
        (out / "work").mkdir()
        return honest(root, data, out, progress)

    monkeypatch.setattr(arrays, "prepare", messy)
    assert not (prepare_dataset(spec, cache).folder / "work").exists()


def test_progress_counts_every_sample_once(
    spec: PlainDataSpec, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_npy, "_BLOCK_BYTES", 25 * 6)
    seen: list[tuple[int, int]] = []
    prepare_dataset(spec, cache, lambda done, total: seen.append((done, total)))
    assert [done for done, _ in seen] == [6, 12, 18, 20, 26, 32, 38, 40]
    assert {total for _, total in seen} == {40}


def test_too_small_a_disk_is_said_beforehand(
    spec: PlainDataSpec, cache: Path, calls: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrays, "disk_bytes", lambda root, data: 10**18)
    with pytest.raises(DiskFull, match="need 1,000,000,000,000,000,000 bytes, have"):
        prepare_dataset(spec, cache)
    assert calls == []


@pytest.mark.parametrize(
    ("code", "kind", "message"),
    [
        (errno.ENOSPC, DiskFull, "the disk is full"),
        (errno.EACCES, MachineError, "Permission denied: /there"),
    ],
)
def test_refused_write_is_one_line(
    spec: PlainDataSpec,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    kind: type[MachineError],
    message: str,
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(code, os.strerror(code), "/there")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(kind, match=message) as caught:
        prepare_dataset(spec, cache)
    assert caught.value.todo and _folders(cache) == []


def test_cache_root_that_is_a_file(spec: PlainDataSpec, cache: Path) -> None:
    cache.write_text("")
    with pytest.raises(MachineError, match="cannot prepare the data"):
        prepare_dataset(spec, cache)


def test_prepared_data_opens_without_write_access(
    spec: PlainDataSpec, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = prepare_dataset(spec, cache).folder
    for lock in cache.glob(".*.lock"):
        lock.unlink()
    monkeypatch.setattr(locks.fcntl, "flock", None)
    monkeypatch.setattr(shutil, "rmtree", None)
    assert prepare_dataset(spec, cache).folder == folder


def test_where_data_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PRUNECTL_DATA", "here")
    assert default_cache_root() == tmp_path / "here"
    monkeypatch.setenv("PRUNECTL_DATA", "")
    monkeypatch.setenv("HOME", "/somebody")
    assert default_cache_root() == Path("/somebody/.cache/prunectl")


def test_unknown_name_gets_the_nearest(cache: Path) -> None:
    with pytest.raises(UserError, match="'digits'"):
        prepare_dataset(PlainDataSpec("digit"), cache)


def test_a_specs_data_section_will_do(cache: Path, spec: PlainDataSpec) -> None:
    section = DataSpec.model_validate({"name": "arrays", "root": str(spec.root), "layout": "nhwc"})
    plain = replace(spec, params={"layout": "nhwc", "unlabelled": False})
    assert prepared_folder(section, cache) == prepared_folder(plain, cache)
    assert len(prepare_dataset(section, cache).train) == 20
