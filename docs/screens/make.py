"""Writes the pictures of the console in this folder from a recorded run, and from a sweep made for
it, which takes most of a minute: ``python docs/screens/make.py``."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from core.data.locations import default_cache_root
from core.data.prepare import prepare_dataset
from core.spec_load import parse_spec, read_yaml
from core.sweeps import find, list_sweeps
from prunectl.tui.app import Console
from prunectl.tui.screens.samples import SamplesScreen

HERE = Path(__file__).parent
JOURNALS = HERE.parents[1] / "tests" / "journals"
FINISHED = "522y-finished"
SWEEP = """sweep quickstart --yes --set prune.rates=[0.5,0.8] --set score.also=[aum]
  --set tracking.enabled=false --axis extrapolate.k=5,10,20,50
  --axis prune.policy=top_k,class_balanced,coverage,moderate"""
SCREENS: dict[str, tuple[str, tuple[str, ...]]] = {
    "runs": ("", ()),
    "run": (FINISHED, ("x", "x", "x")),
    "help": (FINISHED, ("question_mark",)),
    "new-run": ("", ("n",)),
    "samples": (FINISHED, ("p",)),
    "sweep": ("*", ("right",)),
}


async def draw(folder: Path, name: str) -> None:
    """One picture, 120 columns by 40 lines."""
    named, keys = SCREENS[name]
    if named == "*":
        named = list_sweeps(folder)[0].id
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
        spec_file = folder / FINISHED / "spec.yaml"
        prepare_dataset(parse_spec(read_yaml(spec_file)).data, default_cache_root())  # pictures
        subprocess.run(
            [sys.executable, "-m", "prunectl.cli.main", *SWEEP.split(), "--runs-dir", "sweeps"],
            check=True,
        )
        for name in SCREENS:
            asyncio.run(draw(Path("sweeps") if name == "sweep" else folder, name))


if __name__ == "__main__":
    main()
