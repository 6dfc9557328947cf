"""Write the schemas: ``python -m core.schemas``. A test fails when they are stale."""

from __future__ import annotations

from core.schemas.generate import FOLDER, texts

if __name__ == "__main__":
    for name, text in texts().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
