"""Sealed outputs are whole or absent, reused when whole, made again when broken."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import UserError
from core.store import Store, make_key

KEY = make_key("score", {"a": 1})


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def reopen(tmp_path: Path, warnings: list[str]) -> Callable[[], Store]:
    """The store as another process would see it."""
    return lambda: Store(tmp_path / "store", warnings.append)


@pytest.fixture
def store(reopen: Callable[[], Store]) -> Store:
    return reopen()


def seal(store: Store, key: str = KEY, content: bytes = b"values", seconds: float = 2.5) -> None:
    with store.writing(key) as out:
        (out.path / "values.npy").write_bytes(content)
        (out.path / "curve.json").write_text("[]")
        out.parts["a"] = 1
        out.cost["seconds"] = seconds
        out.meta["direction"] = "high"


def traces(store: Store) -> list[str]:
    """Everything in the store's folder but locks and empty folders."""
    return sorted(
        str(p.relative_to(store.root))
        for p in store.root.rglob("*")
        if p.is_file() and "locks" not in p.parts
    )


def test_a_key_follows_everything_it_is_made_of() -> None:
    assert KEY.startswith("score-") and len(KEY) == len("score-") + 16
    assert make_key("score", {"b": 2, "a": 1}) == make_key("score", {"a": 1, "b": 2})
    assert len({KEY, make_key("net", {"a": 1})[4:], make_key("score", {"a": 2})}) == 3


def test_what_is_sealed_is_found_by_everybody(store: Store, reopen: Callable[[], Store]) -> None:
    assert store.get(KEY) is None
    with pytest.raises(UserError, match="missing"):
        store.require(KEY)
    seal(store)
    for one in (store, reopen()):
        found = one.require(KEY)
        assert (found.path / "values.npy").read_bytes() == b"values"
        assert found.cost == {"seconds": 2.5}
        assert found.meta == {"direction": "high"}
    sealed = json.loads((store.path(KEY) / "sealed.json").read_text())
    assert sealed["parts"] == {"a": 1} and sealed["key"] == KEY
    assert set(sealed["files"]) == {"values.npy", "curve.json"}


def test_an_exception_leaves_no_trace(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.writing(KEY) as out:
        (out.path / "values.npy").write_bytes(b"half")
        raise ZeroDivisionError
    assert store.get(KEY) is None
    assert traces(store) == []


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("values.npy", b"valuez", "another checksum"),
        ("values.npy", b"", "another size"),
        ("values.npy", None, "missing"),
        ("sealed.json", None, "no seal"),
        ("sealed.json", b'{"schema": 1, "files"', "no seal"),
        ("sealed.json", b"[1]", "no seal"),
        ("sealed.json", b'{"schema": "1", "files": {}, "cost": {}, "meta": {}}', "no seal"),
        ("sealed.json", b'{"schema": 1, "files": {}, "cost": 3, "meta": {}}', "damaged"),
        (
            "sealed.json",
            b'{"schema": 1, "files": {"values.npy": {"bytez": 6}}, "cost": {}, "meta": {}}',
            "another size",
        ),
        (
            "sealed.json",
            b'{"schema": 1, "files": {"values.npy": 1}, "cost": {}, "meta": {}}',
            "size",
        ),
    ],
)
def test_a_broken_entry_is_told_removed_and_made_again(
    store: Store,
    reopen: Callable[[], Store],
    warnings: list[str],
    name: str,
    content: bytes | None,
    reason: str,
) -> None:
    seal(store)
    file = store.path(KEY) / name
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    later = reopen()
    assert later.get(KEY) is None
    assert len(warnings) == 1 and KEY in warnings[0] and reason in warnings[0]
    assert not later.path(KEY).exists()
    seal(later)
    assert later.get(KEY) is not None
    assert len(warnings) == 1


def test_sealing_again_replaces_the_entry(store: Store, reopen: Callable[[], Store]) -> None:
    seal(store)
    assert store.require(KEY).meta == {"direction": "high"}
    seal(store, content=b"fresh", seconds=1.5)
    for one in (store, reopen()):
        assert one.require(KEY).cost == {"seconds": 1.5}
        assert (one.require(KEY).path / "values.npy").read_bytes() == b"fresh"


def test_sealing_forgets_the_checkpoints(store: Store) -> None:
    partial = store.partial(KEY)
    partial.mkdir(parents=True)
    (partial / "step-1.pt").write_bytes(b"x")
    other = store.partial("score-other")
    other.mkdir()
    seal(store)
    assert not partial.exists() and other.exists()


def test_an_entry_of_a_newer_version_is_left_alone(
    store: Store, reopen: Callable[[], Store]
) -> None:
    seal(store)
    file = store.path(KEY) / "sealed.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "schema": 2}))
    with pytest.raises(UserError, match="newer version"):
        reopen().get(KEY)
    assert file.exists()


def test_the_lock_clears_what_a_dead_writer_left(store: Store) -> None:
    left = store.root / "temporary" / f"{KEY}.1.abc"
    others = store.root / "temporary" / "score-other.1.abc"
    for folder in (left, others):
        folder.mkdir(parents=True)
        (folder / "values.npy").write_bytes(b"half")
    with store.lock(KEY, lambda _: None, lambda: None):
        assert not left.exists() and others.exists()


def test_a_check_that_raises_ends_the_wait(store: Store, reopen: Callable[[], Store]) -> None:
    class StopNow(Exception):
        pass

    def check() -> None:
        raise StopNow

    other = reopen()
    with (
        store.lock(KEY, lambda _: None, lambda: None),
        pytest.raises(StopNow),
        other.lock(KEY, lambda _: None, check),
    ):
        raise AssertionError("two hold the lock")


HOLDER = """
import sys
from pathlib import Path
from core.store import Store
store = Store(Path(sys.argv[1]))
with store.lock(sys.argv[2], lambda _: None, lambda: None):
    print("locked", flush=True)
    sys.stdin.readline()
    with store.writing(sys.argv[2]) as out:
        (out.path / "values.npy").write_bytes(b"theirs")
"""


def test_a_second_process_waits_and_finds_the_result(store: Store) -> None:
    arguments = [sys.executable, "-c", HOLDER, str(store.root), KEY]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert first.stdin and first.stdout and first.stdout.readline() == b"locked\n"
        waiting: list[int] = []

        def told(holder: dict[str, int]) -> None:
            waiting.append(holder["pid"])
            first.stdin.write(b"go\n")  # only now may the other go on
            first.stdin.flush()

        with store.lock(KEY, told, lambda: None):
            assert (store.require(KEY).path / "values.npy").read_bytes() == b"theirs"
        assert waiting == [first.pid]
    assert first.returncode == 0


def test_threads_of_other_keys_do_not_wait(store: Store) -> None:
    done = threading.Event()

    def work() -> None:
        with store.lock("score-other", lambda _: None, lambda: None):
            done.set()

    with store.lock(KEY, lambda _: None, lambda: None):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert done.is_set()
