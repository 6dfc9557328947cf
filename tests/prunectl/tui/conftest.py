"""A recorded run that may be changed, its pictures prepared."""

from __future__ import annotations

from pathlib import Path

import pytest
from digits_bank import recorded, truth

from core.runs import Run


@pytest.fixture
def finished(tmp_path: Path) -> Run:
    """A finished run whose data are prepared."""
    run = recorded("finished", tmp_path)
    truth(run)
    return run
