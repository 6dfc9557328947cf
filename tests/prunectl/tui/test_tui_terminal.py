"""A real terminal, seen from its other end: it is restored however the console ends."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from recorded import FINISHED, copy_runs

OPEN = (
    "import sys; from pathlib import Path; from prunectl.tui import terminal; "
    "sys.exit(terminal.tui(None, runs_dir=Path(sys.argv[1]), read_only=False, plain=False, "
    "low_bandwidth=False, mouse=True, theme=None))"
)
CRASH = (
    "from prunectl.tui.screens.runs import Runs\n"
    "def boom(self): raise RuntimeError('boom')\n"
    "Runs.action_sort = boom\n"
)
STUCK = (
    "from prunectl.tui.screens.runs import Runs\n"
    "def flood(self):\n"
    "    for _ in range(200): self.app._driver.write('x' * 4096)\n"
    "Runs.action_sort = flood\n"
)
ALTERNATE, RESTORED, CURSOR = b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[?25h"


class Terminal:
    """A program in a pseudo terminal."""

    def __init__(self, code: str, folder: Path) -> None:
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, str(folder)], stdin=slave, stdout=slave, stderr=slave,
            start_new_session=True, env={**os.environ, "TERM": "xterm-256color"},
        )  # fmt: skip
        os.close(slave)
        self.said = b""

    def until(self, text: bytes, seconds: float = 20.0) -> None:
        """Read until it has said this."""
        end = time.monotonic() + seconds
        while text not in self.said and time.monotonic() < end and self._read():
            pass
        assert text in self.said

    def ended(self) -> int:
        """Read to the end; the exit code."""
        end = time.monotonic() + 15
        while self._read() and time.monotonic() < end:
            pass
        return self.process.wait(10)

    def _read(self) -> bool:
        if not select.select([self.master], [], [], 0.2)[0]:
            return self.process.poll() is None
        try:
            found = os.read(self.master, 65536)
        except OSError:
            return False
        self.said += found
        return bool(found)


@pytest.mark.parametrize(
    ("end", "code"),
    [("q", 0), (signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129), ("crash", 1)],
)
def test_the_terminal_is_restored(tmp_path: Path, end: str | signal.Signals, code: int) -> None:
    terminal = Terminal(CRASH + OPEN if end == "crash" else OPEN, copy_runs(tmp_path / "runs"))
    try:
        terminal.until(FINISHED.encode())
        assert ALTERNATE in terminal.said
        if isinstance(end, signal.Signals):
            os.kill(terminal.process.pid, end)
        else:
            os.write(terminal.master, b"o" if end == "crash" else b"q")
        assert terminal.ended() == code
    finally:
        terminal.process.kill()
        terminal.process.wait()
        os.close(terminal.master)
    left = terminal.said.rpartition(ALTERNATE)[2]
    assert RESTORED in left
    assert CURSOR in left
    if end == "crash":
        assert b"boom" in left


@pytest.mark.parametrize("stuck", [False, True], ids=["idle", "waiting to write"])
def test_a_terminal_that_vanishes_without_a_signal_ends_it(tmp_path: Path, stuck: bool) -> None:
    """The pseudo terminal controls no session here, so closing its other end sends no SIGHUP."""
    terminal = Terminal(STUCK + OPEN if stuck else OPEN, copy_runs(tmp_path / "runs"))
    try:
        terminal.until(FINISHED.encode())
        if stuck:  # nobody reads any more: the main thread waits for room in the writer's queue
            os.write(terminal.master, b"o")
            time.sleep(0.5)
        os.close(terminal.master)
        assert terminal.process.wait(15) == 129
    finally:
        terminal.process.kill()
        terminal.process.wait()


def test_what_is_left_to_write_does_not_change_the_exit_code() -> None:
    """Python flushes its streams at the end; a closed pipe stands for a dead terminal."""
    command = "import sys; from prunectl.tui import hangup; print('x'); {}sys.exit(hangup.CODE)"
    for abandoned, code in (("hangup.abandon(); ", 129), ("", 120)):
        read_end, write_end = os.pipe()
        os.close(read_end)
        done = subprocess.run(
            [sys.executable, "-E", "-c", command.format(abandoned)],
            stdout=write_end, stderr=subprocess.DEVNULL, timeout=60,
        )  # fmt: skip
        os.close(write_end)
        assert done.returncode == code


def test_the_mouse_is_left_to_the_terminal_when_told_so(tmp_path: Path) -> None:
    """Asking for mouse reports is a sequence of its own; only ``--no-mouse`` leaves it out."""
    command = "from prunectl.cli.main import main; import sys; sys.argv[1:1] = {}; main()"
    asked = []
    for options in (["tui", "--runs-dir"], ["tui", "--no-mouse", "--runs-dir"]):
        terminal = Terminal(command.format(options), copy_runs(tmp_path / str(len(options))))
        try:
            terminal.until(FINISHED.encode())
            os.write(terminal.master, b"q")
            assert terminal.ended() == 0
        finally:
            terminal.process.kill()
            terminal.process.wait()
            os.close(terminal.master)
        asked.append(b"\x1b[?1000h" in terminal.said)
    assert asked == [True, False]


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_dumb_terminal_gets_one_plain_line(tmp_path: Path, term: str) -> None:
    said = _plainly(tmp_path, {"TERM": term})
    assert "TERM" in said


def test_not_a_terminal_gets_one_plain_line(tmp_path: Path) -> None:
    assert "needs a terminal" in _plainly(tmp_path, {"TERM": "xterm"})


def test_stderr_must_be_a_terminal_because_it_is_drawn_on(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    try:
        said = _plainly(tmp_path, {"TERM": "xterm"}, stdin=slave, stdout=slave)
        assert "stderr is none" in said
        assert not select.select([master], [], [], 0)[0]  # and nothing was drawn elsewhere
    finally:
        os.close(master)
        os.close(slave)


def _plainly(
    folder: Path, environment: dict[str, str], *, stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.PIPE,
) -> str:  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "prunectl.cli.main", "tui", "--runs-dir", str(folder)],
        stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=25, check=False,
        env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == 4
    assert not done.stdout
    assert "\x1b" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    return done.stderr
