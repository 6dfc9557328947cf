"""What a worker does about tracking: two small files and a process, before any training begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core import events as ev
from core.errors import PrunectlError
from core.sinks import target

if TYPE_CHECKING:
    from core.session import Session
    from core.spec import TrackingSpec


def track(session: Session, tracking: TrackingSpec) -> None:
    """Note where the run is tracked and start the shipper. Trouble is a warning, never a failure:
    the journal has everything, and ``prunectl sync`` sends it later."""
    if not tracking.enabled:
        return
    run = session.run_folder
    try:
        target.note_target(run, tracking)
        if not target.installed():
            what = "MLflow is not installed, so the run is not tracked; install it and sync later"
            session.emit(ev.Message("warning", what))
            return
        target.start_shipper(run.runs)
    except (PrunectlError, OSError) as error:
        session.emit(ev.Message("warning", f"tracking was not started: {error}"))
