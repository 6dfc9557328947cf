"""Writes the pictures of the console in this folder from a recorded run:
``python docs/screens/make.py``."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from core.data.locations import default_cache_root
from core.data.prepare import prepare_dataset
from core.spec_load import parse_spec, read_yaml
from core.sweeps import find
from prunectl.tui.app import Console
from prunectl.tui.screens.samples import SamplesScreen

HERE = Path(__file__).parent
JOURNALS = HERE.parents[1] / "tests" / "journals"
FINISHED, SWEEP = "522y-finished", "djl2-quickstart-sweep"
SCREENS: dict[str, tuple[str, tuple[str, ...]]] = {
    "runs": ("", ()),
    "run": (FINISHED, ("x", "x", "x")),
    "help": (FINISHED, ("question_mark",)),
    "new-run": ("", ("n",)),
    "samples": (FINISHED, ("p",)),
    "sweep": (SWEEP, ("right",)),
}


async def draw(folder: Path, name: str) -> None:
    """One picture, 120 columns by 40 lines."""
    named, keys = SCREENS[name]
    app = Console(folder, find(folder, named) if named else None, theme="dark")
    async with app.run_test(size=(120, 40)) as pilot:
        screen: Any = app.screen
        while not (screen.known.read_all if named else screen.complete) or (
            named == FINISHED and not screen.known.scores
        ):
            await asyncio.sleep(0.05)
        for key in keys:
            await pilot.press(key)
        screen = app.screen
        while isinstance(screen, SamplesScreen) and screen.page is None:
            await asyncio.sleep(0.05)
        await pilot.pause(0.5)
        (HERE / f"{name}.svg").write_text(app.export_screenshot(title="prunectl"))


def main() -> None:
    """All pictures, of a runs folder with the recorded runs."""
    with tempfile.TemporaryDirectory() as temporary:
        os.chdir(temporary)
        os.environ["PRUNECTL_DATA"] = str(Path(temporary) / "data")
        folder = Path("runs")
        for run in (FINISHED, "abcd-resumed", "ozpj-diverged"):
            shutil.copytree(JOURNALS / run.partition("-")[2], folder / run)
        shutil.copytree(JOURNALS / "sweep", folder / SWEEP)
        spec_file = folder / FINISHED / "spec.yaml"
        prepare_dataset(parse_spec(read_yaml(spec_file)).data, default_cache_root())  # pictures
        for name in SCREENS:
            asyncio.run(draw(folder, name))


if __name__ == "__main__":
    main()
