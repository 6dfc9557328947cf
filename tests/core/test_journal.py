"""The journal keeps every whole record, whatever happens to its last line, bytes or clock."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from core import events as ev
from core.errors import UserError
from core.journal import Journal, Record, Tail, read
from core.replay import reduce


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def message(number: int) -> ev.Message:
    return ev.Message("info", f"number {number}")


def write(path: Path, *events: ev.Event) -> None:
    journal = Journal(path)
    for event in events:
        journal.append(event)
    journal.close()


def texts(records: list[Record]) -> list[str]:
    return [r.event.text for r in records if isinstance(r.event, ev.Message)]


def test_what_is_written_is_read(path: Path) -> None:
    before = time.time()
    write(path, message(0), ev.Checkpoint("t", 3))
    write(path, message(1))  # opened again, numbering goes on
    records = list(read(path))
    assert [r.seq for r in records] == [0, 1, 2]
    assert [r.event for r in records] == [message(0), ev.Checkpoint("t", 3), message(1)]
    assert all(before - 1 < r.ts < time.time() + 1 for r in records)
    first = json.loads(path.read_bytes().splitlines()[0])
    assert first.keys() == {"v", "seq", "ts", "type", "level", "text"} and first["v"] == 1


def test_a_missing_or_empty_journal_has_no_records(path: Path) -> None:
    assert list(read(path)) == []
    assert Tail(path).poll() == []
    path.touch()
    assert list(read(path)) == []


@pytest.mark.parametrize("cut", [1, 2, 10, 40])
def test_a_torn_last_line_costs_only_itself(path: Path, cut: int) -> None:
    write(path, *(message(i) for i in range(3)))
    path.write_bytes(path.read_bytes()[:-cut])
    assert texts(list(read(path))) == ["number 0", "number 1"]
    write(path, message(9))  # a writer drops it before it goes on
    assert texts(list(read(path))) == ["number 0", "number 1", "number 9"]
    assert [r.seq for r in read(path)] == [0, 1, 2]


def test_a_journal_that_is_one_torn_line(path: Path) -> None:
    path.write_bytes(b'{"v":1,"seq":0,"ts"')
    assert list(read(path)) == []
    write(path, message(0))
    assert [r.seq for r in read(path)] == [0]


def test_a_torn_line_longer_than_a_block(path: Path) -> None:
    write(path, message(0))
    with open(path, "ab") as file:
        file.write(b'{"v":1,' + b"x" * 200_000)
    write(path, message(1))
    assert texts(list(read(path))) == ["number 0", "number 1"]


@pytest.mark.parametrize(
    "line",
    [
        b"\xff\xfe\x00 not text",
        b'{"v":1,"seq":7,"ts":1.0,"type":"message","level":"info","text":"\xc3"}',
        b"null",
        b"[]",
        b"3",
        b"",
        b"{}",
        b'{"v":1,"seq":"x","ts":1,"type":"message","level":"i","text":"t"}',
        b'{"v":1,"seq":1,"ts":null,"type":"message","level":"i","text":"t"}',
        b'{"v":1,"seq":1,"ts":1' + b"0" * 400 + b',"type":"message","level":"i","text":"t"}',
        b'{"v":1,"seq":1,"ts":1,"type":"trumpet","level":"i","text":"t"}',
        b'{"v":1,"seq":1,"ts":1,"type":"points","task":"t","series":"s","step":5,"epoch":1}',
        b'{"v":1,"seq":1,"ts":1,"type":"points","task":["t"],"series":"s","step":[],"epoch":[],'
        b'"value":[]}',
        b"[" * 100_000,
    ],
)
def test_a_line_that_says_nothing_is_passed_over(path: Path, line: bytes) -> None:
    write(path, message(0))
    with open(path, "ab") as file:
        file.write(line + b"\n")
    write(path, message(1))
    assert texts(list(read(path))) == ["number 0", "number 1"]
    reduce(read(path))


def test_lines_of_a_newer_version_are_one_clear_error(path: Path) -> None:
    path.write_text('{"v":2,"seq":0,"ts":1,"type":"message","level":"info","text":"x"}\n')
    with pytest.raises(UserError, match="newer version.*upgrade"):
        list(read(path))


def test_a_clock_that_goes_back_keeps_the_order(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([100.0, 50.0, 75.0])
    monkeypatch.setattr(time, "time", lambda: next(clock))
    write(path, *(message(i) for i in range(3)))
    records = list(read(path))
    assert [r.ts for r in records] == [100.0, 50.0, 75.0]
    assert texts(records) == ["number 0", "number 1", "number 2"]


def test_undefined_numbers_are_null_in_the_file(path: Path) -> None:
    write(path, ev.Points("t", "train/loss", [1, 2], [0.5, 1], [float("nan"), float("inf")]))
    assert b"NaN" not in path.read_bytes() and b"Infinity" not in path.read_bytes()
    (record,) = read(path)
    assert isinstance(record.event, ev.Points) and record.event.value == [None, None]


def test_a_tail_sees_each_record_once_and_only_when_whole(path: Path) -> None:
    tail = Tail(path)
    assert tail.poll() == []
    write(path, message(0))
    assert texts(tail.poll()) == ["number 0"]
    assert tail.poll() == []
    line = b'{"v":1,"seq":1,"ts":1,"type":"message","level":"info","text":"number 1"}\n'
    for byte in line[:-1]:
        with open(path, "ab") as file:
            file.write(bytes([byte]))
        assert tail.poll() == []
    with open(path, "ab") as file:
        file.write(line[-1:])
    assert texts(tail.poll()) == ["number 1"]


@pytest.mark.parametrize("longer", [False, True])
def test_a_tail_survives_the_torn_line_it_had_read_being_replaced(path: Path, longer: bool) -> None:
    write(path, message(0))
    with open(path, "ab") as file:
        file.write(b'{"v":1,"seq":1,"ts":1,"type":"points","task":"t","step":[1,2')
    tail = Tail(path)
    assert texts(tail.poll()) == ["number 0"]
    assert tail.poll() == []
    journal = Journal(path)  # as a resumed worker opens it
    if not longer:
        assert tail.poll() == []
    journal.append(ev.Message("warning", "x" * 500))
    assert texts(tail.poll()) == ["x" * 500]


def test_a_journal_of_many_reads_and_a_line_longer_than_one(path: Path) -> None:
    journal = Journal(path)
    for number in range(50):
        journal.append(message(number))
        journal.append(ev.Message("info", "y" * (300 if number != 20 else 5_000)))
    journal.close()
    whole = texts(list(read(path)))
    assert len(whole) == 100
    tail, found = Tail(path), []
    while records := tail.poll(max_bytes=256):
        found += texts(records)
    assert found == whole


def test_reading_goes_on_behind_a_stretch_without_records(path: Path) -> None:
    write(path, message(0))
    with open(path, "ab") as file:
        file.write(b"\xff\n" * 500)
    write(path, message(1))
    tail = Tail(path)
    assert texts(tail.poll(max_bytes=100)) == ["number 0"]
    assert texts(tail.poll(max_bytes=100)) == ["number 1"]


def test_following_while_it_is_written(path: Path) -> None:
    def work() -> None:
        journal = Journal(path)
        for number in range(2_000):
            journal.append(message(number))
        journal.close()

    writer = threading.Thread(target=work)
    writer.start()
    tail, found = Tail(path), []
    while writer.is_alive():
        found += texts(tail.poll(max_bytes=4096))
    while records := tail.poll():
        found += texts(records)
    assert found == [f"number {i}" for i in range(2_000)]


def test_two_threads_of_the_writer_do_not_mix_their_lines(path: Path) -> None:
    journal = Journal(path)

    def work(name: str) -> None:
        for _ in range(300):
            journal.append(ev.Message(name, name * 200))

    threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.close()
    records = list(read(path))
    assert [r.seq for r in records] == list(range(900))
    assert path.read_bytes().count(b"\n") == 900


def test_a_full_disk_leaves_no_half_line(path: Path) -> None:
    """The file may not grow beyond 1,000 bytes; later it may, and the journal goes on."""
    code = f"""
import resource
from pathlib import Path
from core import events as ev
from core.errors import DiskFull
from core.journal import Journal
journal = Journal(Path({str(path)!r}))
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
written = 0
try:
    while True:
        journal.append(ev.Message("info", "n" * 100), durable=True)
        written += 1
except DiskFull as error:
    assert error.kind == "disk_full" and error.exit_code == 4
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
journal.append(ev.RunFinished("failed", "disk_full"))
print(written)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    records = list(read(path))
    assert len(records) == int(done.stdout) + 1 > 3
    assert records[-1].event == ev.RunFinished("failed", "disk_full")
    assert [r.seq for r in records] == list(range(len(records)))


def test_damaged_bytes_never_raise_and_spare_the_other_lines(path: Path) -> None:
    """200 journals with a few bytes changed anywhere: every untouched line is still read."""
    rng = random.Random(0)
    events: list[ev.Event] = [
        ev.Plan([{"task": "t", "needs": []}]),
        ev.TaskStarted("t", "score", 0),
        ev.Points("t", "train/loss", [1, 2], [0.5, 1.0], [3.0, 2.0]),
        ev.Resumed("t", 1),
        ev.Extrapolated(0, "el2n", "knn", {"k": 5}, 0.5, True),
        ev.TaskFinished("t", "score-1", False, {"seconds": 1.0}),
        ev.TrialFinished("s0", {"test_accuracy": 0.5}),
        ev.RunFinished("finished"),
    ]
    write(path, *events)
    lines = path.read_bytes().splitlines(keepends=True)
    whole = b"".join(lines)
    for _ in range(200):
        data, hit = bytearray(whole), set()
        for place in rng.sample(range(len(data)), rng.randrange(1, 4)):
            data[place] = rng.choice(b'\x00\xff{}[]",:129xe-')
            hit.add(whole[:place].count(b"\n"))
        path.write_bytes(bytes(data))
        try:
            records = list(read(path))
        except UserError as error:  # the version itself became another number
            assert "newer version" in str(error)
            continue
        found = [r.event for r in records]
        for number, event in enumerate(events):
            if not {number, number - 1} & hit:  # a line break may have gone
                assert event in found, number
        reduce(records)
