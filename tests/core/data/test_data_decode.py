"""Decoding by processes: the same pixels, resumed after a kill, nothing left behind."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from picture_files import by_class, encoded, pixels, write_folder

from core.data import _crew, _decode
from core.data._crew import inline
from core.data._decoder import decode_chunk
from core.data._layout import Layout
from core.data.bank import verify_inputs
from core.data.prepare import prepare_dataset
from core.errors import DiskFull, MachineError, Stopped
from core.locks import try_lock
from core.testing.data import PlainDataSpec

TRAIN, TEST = pixels(36), pixels(6, seed=1)
CHUNKS = 9  # 42 pictures, five at a time

_KILLED = """
import os, signal, sys
from pathlib import Path
from core.data import _decode
from core.data.prepare import prepare_dataset
from core.testing.data import PlainDataSpec
_decode.CHUNK_ROWS = 5

def progress(done, total):
    if done >= 15:
        os.kill(os.getpid(), signal.SIGKILL)

spec = PlainDataSpec("folder", root=Path(sys.argv[1]))
prepare_dataset(spec, Path(sys.argv[2]), progress, workers=2)
"""


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlainDataSpec:
    monkeypatch.setattr(_decode, "CHUNK_ROWS", 5)
    write_folder(tmp_path / "mine", {"train": TRAIN, "test": TEST})
    return PlainDataSpec("folder", root=tmp_path / "mine")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def chunks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The chunks that are decoded in this process; there are no others then."""
    seen: list[int] = []

    def watched(target: Any, where: Any, jobs: Any, workers: int) -> Any:
        for answer in inline(target, where, jobs, workers):
            assert answer is not None
            seen.append(answer[0])
            yield answer

    monkeypatch.setattr(_decode, "inline", watched)
    monkeypatch.setattr(_decode, "in_processes", watched)
    return seen


def _work(cache: Path) -> Path:
    (work,) = (p for p in cache.iterdir() if p.name.startswith(".decode-") and p.is_dir())
    return work


def test_processes_write_what_one_alone_would(spec: PlainDataSpec, cache: Path) -> None:
    told: list[tuple[int, int]] = []
    dataset = prepare_dataset(spec, cache, lambda *told_: told.append(told_), workers=3)
    assert np.array_equal(dataset.train.inputs, TRAIN[by_class(36)])
    assert np.array_equal(dataset.test.inputs, TEST[by_class(6)])
    assert told == sorted(told) and told[-1] == (42, 42) and told.count((42, 42)) == 1
    assert {total for _, total in told} == {42} and len({done for done, _ in told}) >= CHUNKS


def test_killed_and_resumed(spec: PlainDataSpec, cache: Path, chunks: list[int]) -> None:
    mark = f"PRUNECTL_MARK={cache}"
    environment = {**os.environ, "PRUNECTL_MARK": str(cache)}
    command = [sys.executable, "-c", _KILLED, str(spec.root), str(cache)]
    done = subprocess.run(command, env=environment, timeout=60, check=False)
    assert done.returncode == -9
    _wait_until_gone(mark)
    notes = (_work(cache) / "done.jsonl").read_text().splitlines()
    before = {json.loads(line)["chunk"] for line in notes}
    assert len(before) >= 3
    told: list[int] = []
    dataset = prepare_dataset(spec, cache, lambda done, total: told.append(done))
    assert sorted([*before, *chunks]) == list(range(CHUNKS))
    assert told[0] >= 5 and np.array_equal(dataset.train.inputs, TRAIN[by_class(36)])
    assert not [p for p in cache.iterdir() if p.name.startswith(".decode-") and p.is_dir()]


def _wait_until_gone(mark: str) -> None:
    """Decoding processes end with their parent. Linux; elsewhere nothing is looked at."""
    until = time.monotonic() + 20
    while any(_has(file, mark) for file in Path("/proc").glob("[0-9]*/environ")):
        assert time.monotonic() < until, "a decoding process outlives its parent"
        time.sleep(0.05)


def _has(environment: Path, mark: str) -> bool:
    try:
        return mark.encode() in environment.read_bytes().split(b"\0")
    except OSError:
        return False


def test_stopped_and_resumed(spec: PlainDataSpec, cache: Path, chunks: list[int]) -> None:
    def stop(done: int, total: int) -> None:
        if done >= 20:
            raise Stopped("stopped")

    with pytest.raises(Stopped):
        prepare_dataset(spec, cache, stop)
    assert chunks == [0, 1, 2, 3]
    prepare_dataset(spec, cache)
    assert chunks == list(range(CHUNKS))


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("stopped", [True, False])
def test_parts_are_written_hashed_and_added_up_on_the_way(
    spec: PlainDataSpec,
    cache: Path,
    chunks: list[int],
    monkeypatch: pytest.MonkeyPatch,
    links: bool,
    stopped: bool,
) -> None:
    def stop(done: int, total: int) -> None:
        if done >= 20:
            raise Stopped("stopped")

    def refuse(*_: object) -> None:
        raise PermissionError(1, "no links here")

    assert spec.root is not None
    one = replace(spec, root=spec.root / "train", test_fraction=0.3, validation=5)
    if stopped:
        with pytest.raises(Stopped):
            prepare_dataset(one, cache, stop)
    if not links:
        monkeypatch.setattr(os, "link", refuse)
    dataset = prepare_dataset(one, cache)
    assert chunks == list(range(8))  # all decoded, none twice
    verify_inputs(dataset)
    ids = np.arange(len(dataset.train), dtype=np.int64)
    reference = dataset.train.inputs[ids].astype(np.float64) / 255
    for bank in dataset.parts().values():
        assert bank.row is not None
        assert np.array_equal(bank.inputs, TRAIN[by_class(36)][bank.row])
        np.testing.assert_allclose(bank.mean, reference.mean(axis=(0, 1, 2)), rtol=1e-13)
        np.testing.assert_allclose(bank.std, reference.std(axis=(0, 1, 2)), rtol=1e-12)
    assert (dataset.folder / "train" / "inputs.npy").stat().st_nlink == 1


def test_a_dataset_is_not_written_into(tmp_path: Path) -> None:
    """A process killed before it has removed its work shares files with the finished dataset."""
    rows = {"train": np.array([0, 2]), "test": np.array([1])}
    layout = Layout(tmp_path, rows, (2, 2, 1), 2)
    assert not layout.is_there()
    layout.create()
    assert layout.is_there()
    os.link(tmp_path / "train.npy", tmp_path / "dataset.npy")
    assert not layout.is_there()
    layout.create()
    place = layout.place(0, 3)
    assert (place.part, place.first) == ([0, 1, 0], [0, 0])
    decode_chunk(layout.target, place, [encoded(pixels(1, side=2)[0])] * 3)
    assert np.load(tmp_path / "train.npy").any() and not np.load(tmp_path / "dataset.npy").any()


def test_left_out_pictures_change_the_split(spec: PlainDataSpec, cache: Path) -> None:
    """Then what was decoded is copied: as if the broken ones had never been there."""
    assert spec.root is not None
    root = spec.root / "train"
    lenient = replace(
        spec, root=root, test_fraction=0.3, validation=5, params={"skip_broken": True}
    )
    broken = sorted(root.rglob("*.png"))[3::9]
    for file in broken:
        file.write_bytes(b"")
    found = prepare_dataset(lenient, cache, workers=2)
    assert (found.folder / "broken.txt").read_text().count("\tempty\n") == len(broken) == 4
    for file in broken:
        file.unlink()
    clean = prepare_dataset(lenient, cache, workers=2)
    assert found.fingerprint == clean.fingerprint and found.train.mean == clean.train.mean
    assert found.folder != clean.folder and len(found.train) == 36 - 4 - 10 - 5


def test_waiting_for_another_process_can_be_given_up(
    spec: PlainDataSpec, cache: Path, chunks: list[int]
) -> None:
    """Two datasets of the same pictures, one of them without the broken ones, decode one by one."""
    found = prepare_dataset(spec, cache)
    (lock,) = cache.glob(".decode-*.lock")
    held = try_lock(lock)
    assert held is not None
    chunks.clear()
    told: list[int] = []

    def stop(done: int, total: int) -> None:
        told.append(done)
        raise Stopped("stopped")

    lenient = replace(spec, params={"skip_broken": True})
    with pytest.raises(Stopped):
        prepare_dataset(lenient, cache, stop)
    os.close(held)
    assert chunks == [] and told == [0]
    other = prepare_dataset(lenient, cache)
    assert other.folder != found.folder and chunks == list(range(CHUNKS))


def test_damaged_chunks_and_torn_notes_are_made_again(
    spec: PlainDataSpec, cache: Path, chunks: list[int]
) -> None:
    def stop(done: int, total: int) -> None:
        if done >= 20:
            raise Stopped("stopped")

    with pytest.raises(Stopped):
        prepare_dataset(spec, cache, stop)
    chunks.clear()
    raw, notes = _work(cache) / "train.npy", _work(cache) / "done.jsonl"
    with raw.open("r+b") as file:
        file.seek(128 + 5 * 192)  # the second chunk
        file.write(b"\0\0\0\0")
    notes.write_text(notes.read_text() + '{"chunk": 4, "cr')
    dataset = prepare_dataset(spec, cache)
    assert chunks == [1, 4, 5, 6, 7, 8]
    assert np.array_equal(dataset.train.inputs, TRAIN[by_class(36)])


def test_a_process_that_dies_is_said_in_one_line(
    spec: PlainDataSpec, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dying() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    monkeypatch.setattr(_crew, "_decoder", dying)
    with pytest.raises(MachineError, match="a decoding process was killed by signal 9"):
        prepare_dataset(spec, cache, workers=2)


@pytest.mark.parametrize("workers", [1, 2])
def test_what_the_machine_refuses_stops(
    spec: PlainDataSpec, cache: Path, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that takes a picture's place after the scan: any error with a number would do."""
    assert spec.root is not None
    victim = spec.root / "test" / "bee" / "a b 0003.png"

    def swapped(*given: Any) -> Any:
        victim.unlink()
        victim.mkdir()
        return _decode.decoded(*given)

    monkeypatch.setattr("core.data._pictures.decoded", swapped)
    with pytest.raises(MachineError, match="Is a directory: .*a b 0003.png"):
        prepare_dataset(spec, cache, workers=workers)


def test_room_is_looked_for_before_anything_is_written(
    spec: PlainDataSpec, cache: Path, chunks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(cache.parent)._replace(free=42 * 192 - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(DiskFull, match=f"need {42 * 192:,} bytes while preparing"):
        prepare_dataset(spec, cache)
    assert not list(_work(cache).glob("*.npy"))
    with pytest.raises(DiskFull, match=f"need {2 * 42 * 192:,} bytes while preparing"):
        prepare_dataset(replace(spec, params={"skip_broken": True}), cache)
    assert chunks == []


def test_what_is_decoded_needs_no_more_room(
    spec: PlainDataSpec, cache: Path, chunks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(done: int, total: int) -> None:
        if done >= 20:
            raise Stopped("stopped")

    with pytest.raises(Stopped):
        prepare_dataset(spec, cache, stop)
    usage = shutil.disk_usage(cache.parent)._replace(free=22 * 192)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    assert len(prepare_dataset(spec, cache).train) == 36
