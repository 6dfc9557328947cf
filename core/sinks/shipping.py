"""Sends one run: what its journal says should be on the server, minus what is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from core.files import read_json, sha256, write_json
from core.journal import Tail
from core.runs import Folder, Run
from core.sinks import target
from core.sinks.cursor import Cursor, Sent
from core.sinks.nodes import PARENT, RUNNING, Node, Point
from core.sinks.projection import Projection
from core.sinks.server import BATCH, Refused, Server

PICTURE, REPORT = "tradeoff.png", "report.html"
_PARENT_FILES = ("spec.yaml", "summary.json", PICTURE, REPORT)
_PARENT_FOLDERS = ("scores", "models")  # models holds what compute.keep_models asked for
Artifact = tuple[str, str, str | None]
"""Path in the run folder, SHA-256, artifact folder."""


class RunShipper:
    """One run on its way. :meth:`look` and :meth:`ship` may be called as often as wanted."""

    def __init__(self, run: Folder, where: target.Target) -> None:
        self.run = run
        self.where = where
        self.address = where.address(run.runs)
        self.cursor = Cursor.load(run.path / target.CURSOR_FILE)
        self.projection = self._projected()
        self.alive = True
        self._tail = Tail(run.journal)
        self._digests: dict[Path, tuple[int, int, str]] = {}

    @property
    def settled(self) -> bool:
        """Whether the server has answered for all there is: for good, or while the run works."""
        done = self.cursor.offset == self._tail.offset and not self.cursor.doubts
        return done and (self.alive or (self.cursor.closed and not self.new_report))

    @property
    def new_report(self) -> bool:
        """Whether ``report.html`` was made, or made again, after the run was closed."""
        sent = self.cursor.nodes.get(PARENT)
        digest = self._digest(self.run.path / REPORT)
        return sent is not None and digest is not None and sent.files.get(REPORT) != digest

    def look(self) -> None:
        """Take in what is new."""
        self.alive = self.run.state().alive  # asked first: what a dead worker wrote is there then
        while records := self._tail.poll():
            self.projection.feed(records)
        if not self.alive:
            self.projection.worker_died()

    def ship(self, connect: Callable[[str], Server]) -> int:
        """Send what is missing; the number of points sent. Raises Unreachable."""
        offset, sent = self._tail.offset, 0
        if self.projection.parent is not None:
            server = connect(self.address)
            if self.cursor.experiment_id is None:
                self.cursor.experiment_id = server.experiment(self.where.experiment)
                self.cursor.tracking_uri = self.address
            if not self.alive:
                self._conclude()
            sent = self._send_changes(server)
        self.cursor.offset, self.cursor.closed = offset, not self.alive
        self.cursor.problem = self._refusals()
        if self.projection.parent is not None:  # else the folder may be about to be removed
            self.cursor.save()
        return sent

    def failed(self, problem: str) -> None:
        """Note why it could not be sent."""
        self.cursor.problem = problem
        self.cursor.save()

    def _refusals(self) -> str | None:
        refused = [s.refused for s in self.cursor.nodes.values() if s.refused]
        if not refused:
            return None
        return f"MLflow refuses {len(refused)} of {len(self.cursor.nodes)}: {refused[0]}"

    def _send_changes(self, server: Server) -> int:
        for name in list(self.cursor.doubts):
            self._ask(server, self.cursor.nodes[name])
        nodes = [n for n in self.projection.nodes.values() if n.fresh]
        changed = [n for n in nodes if self._differs(n)]
        if changed:
            self.cursor.doubt(n.id for n in changed)
        sent = 0
        for node in changed:
            try:
                sent += self._send(server, node, self.cursor.nodes[node.id])
            except Refused as error:
                self.cursor.nodes[node.id].refused = str(error)
            except Exception:
                self.cursor.doubts = [node.id]  # those before were answered, later ones not begun
                raise
        self.cursor.doubts = []
        for node in nodes:
            node.fresh = False
        return sent

    def _ask(self, server: Server, sent: Sent) -> None:
        """Learn what became of an attempt whose answer nobody has."""
        try:
            if sent.run_id is None and self.cursor.experiment_id is not None:
                sent.run_id = server.find(self.cursor.experiment_id, sent.token)
            if sent.run_id is not None and not sent.refused:
                sent.last |= server.latest(sent.run_id)
        except Refused as error:
            sent.refused = str(error)

    def _differs(self, node: Node) -> bool:
        sent = self.cursor.nodes.get(node.id)
        if sent is None:
            return True
        if sent.refused:
            return False
        return (
            not (sent.run_id and sent.params and sent.tags == node.tags)
            or sent.status != node.status
            or {d.digest for d in node.data} != set(sent.data)
            or any(True for _ in _unsent(node, sent))
            or any(sent.files.get(name) != digest for name, digest, _ in self._files(node))
        )

    def _send(self, server: Server, node: Node, sent: Sent) -> int:
        """Bring one node up to date; the number of points sent."""
        if sent.run_id is None:
            assert self.cursor.experiment_id is not None  # asked for before
            links = self._links(node)
            sent.run_id = server.create(
                self.cursor.experiment_id, node.name, node.start_ms, links, sent.token
            )
        self._send_texts(server, node, sent, sent.run_id)
        points = list(_unsent(node, sent))
        for start in range(0, len(points), BATCH):
            batch = points[start : start + BATCH]
            server.log_points(sent.run_id, batch)
            sent.last |= {key: point.step for key, point in batch}
        self._send_files(server, node, sent, sent.run_id)
        if sent.status != node.status:
            server.set_status(sent.run_id, node.status, node.end_ms)
            sent.status = node.status
        return len(points)

    def _send_texts(self, server: Server, node: Node, sent: Sent, run_id: str) -> None:
        if not sent.params or sent.tags != node.tags:
            emptied = {tag: "" for tag in sent.tags if tag not in node.tags}
            server.log(run_id, {} if sent.params else node.params, {**node.tags, **emptied})
            sent.params, sent.tags = True, dict(node.tags)
        for data in node.data:
            if data.digest not in sent.data:
                server.log_data(run_id, data)
                sent.data.append(data.digest)

    def _send_files(self, server: Server, node: Node, sent: Sent, run_id: str) -> None:
        if node.id == PARENT and not self.alive:
            self._complete_summary(run_id)
        for name, digest, folder in self._files(node):
            if sent.files.get(name) != digest:
                server.log_file(run_id, self.run.path / name, folder)
                sent.files[name] = digest

    def _links(self, node: Node) -> dict[str, str]:
        parent = self.cursor.nodes[PARENT].run_id
        return {"mlflow.parentRunId": parent} if node.id != PARENT and parent else {}

    def _projected(self) -> Projection:
        return Projection()

    def _conclude(self) -> None:
        """Add what summary and files know, now that the run is over."""
        run = Run(self.run.path)
        summary = run.summary()
        if summary is None:
            return
        self.projection.conclude(summary, lambda path: self._digest(self.run.path / path))
        picture = self.run.path / PICTURE
        made = picture.stat().st_mtime if picture.exists() else 0.0
        if summary.get("tradeoff") and made < run.summary_file.stat().st_mtime:
            from core.sinks.picture import draw

            draw(summary, picture)

    def _complete_summary(self, run_id: str) -> None:
        """Fill the ``mlflow`` block of a summary that was written before the server had the run.
        The worker is gone, and a new one needs seconds before it writes a summary."""
        self._complete(Run(self.run.path).summary_file, run_id)

    def _complete(self, file: Path, run_id: str) -> None:
        summary = read_json(file)
        if isinstance(summary, dict) and summary.get("mlflow") is None:
            summary["mlflow"] = {
                "tracking_uri": self.cursor.tracking_uri,
                "experiment_id": self.cursor.experiment_id, "run_id": run_id,
            }  # fmt: skip
            write_json(file, summary)

    def _files(self, node: Node) -> Iterator[Artifact]:
        """The artifacts of a node that is over."""
        if node.status == RUNNING:
            return
        if node.id != PARENT:
            yield from self._existing(f"kept/{node.id}.npy", "kept")
        elif not self.alive:
            for name in _PARENT_FILES:
                yield from self._existing(name, None)
            for folder in _PARENT_FOLDERS:
                for file in sorted((self.run.path / folder).glob("[!.]*")):
                    yield from self._existing(f"{folder}/{file.name}", folder)

    def _existing(self, name: str, folder: str | None) -> Iterator[Artifact]:
        digest = self._digest(self.run.path / name)
        if digest is not None:
            yield name, digest, folder

    def _digest(self, file: Path) -> str | None:
        """SHA-256, read again only when the file was changed; None when there is none."""
        if not file.is_file():
            return None
        about = file.stat()
        known = self._digests.get(file)
        if known is None or known[:2] != (about.st_size, about.st_mtime_ns):
            known = (about.st_size, about.st_mtime_ns, sha256(file))
            self._digests[file] = known
        return known[2]


def _unsent(node: Node, sent: Sent) -> Iterator[tuple[str, Point]]:
    """The points beyond the last step the server has, by key."""
    for key, points in node.metrics().items():
        last = sent.last.get(key, -1)
        yield from ((key, point) for point in points if point.step > last)
