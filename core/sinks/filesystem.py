"""Whether a folder lies on a disk of this machine: SQLite's WAL mode needs shared memory."""

from __future__ import annotations

from pathlib import Path

_NETWORK = (
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "gpfs", "beegfs",
    "glusterfs", "ocfs2", "gfs2", "orangefs", "pvfs2", "panfs", "davfs", "virtiofs", "fuse",
)  # fmt: skip


def is_local(folder: Path, mounts: Path = Path("/proc/mounts")) -> bool:
    """False on a network or FUSE file system, and where it cannot be told."""
    try:
        lines = [line.split() for line in mounts.read_text(encoding="utf-8").splitlines()]
    except OSError:
        return False
    place, best, kind = folder.resolve(), -1, ""
    for fields in lines:
        point = Path(fields[1].replace("\\040", " "))
        if place.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), fields[2]
    return bool(kind) and kind.partition(".")[0] not in _NETWORK
