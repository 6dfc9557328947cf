"""``export``: the kept samples as a file others can read, or as a folder of links to them."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from core.artifacts import dataset_of
from core.errors import UserError, nearest
from core.export import Selection, select, source_rows
from core.export_files import FORMATS, TEXTS, encode, lines, link_folder, save
from core.files import write_atomic
from core.runs import Run, find_run, runs_folder
from core.spec import Spec
from core.spec_load import parse_spec, read_yaml
from prunectl.cli import output
from prunectl.words import plural


def export(
    name: str,
    rate: float,
    *,
    method: str | None,
    seed: int | None,
    form: str | None,
    out: Path | None,
    how: tuple[str, Path] | None,
    rows: bool,
    runs_dir: Path | None,
) -> int:
    """The command; returns the exit code."""
    run = find_run(runs_folder(runs_dir), name)
    form = _format(form, out, how)
    if rows and (form != "npy" or how is not None):
        raise UserError("--rows goes into an npy file", "give --format npy, or leave it out")
    selection = select(run, rate, method, seed)
    spec = parse_spec(read_yaml(run.spec_file), str(run.spec_file))
    if rows:
        selection = _in_rows(run, spec, selection)
    if how is not None:
        _links(run, spec, selection, how[1])
    else:
        _file(selection, form, out)
    output.say(_summary(selection))
    if not rows and form == "npy" and how is None and (note := _numbering(spec)):
        output.say(note)
    _to_label(selection, (how[1] if how else out) or Path("set"))
    return output.OK


def _format(form: str | None, out: Path | None, how: tuple[str, Path] | None) -> str:
    """The format asked for, else the one the file's name says, else txt."""
    if how is not None:
        if how[0] != "links":
            raise UserError(f"--as {how[0]} is unknown", nearest(how[0], ["links"]))
        if form is not None or out is not None:
            raise UserError("--as links makes a folder", "leave out --format and --out")
    ending = out.suffix.lstrip(".").lower() if out is not None else ""
    chosen = form or (ending if ending in FORMATS else "txt")
    if chosen not in FORMATS:
        raise UserError(f"--format {chosen} is unknown", nearest(chosen, FORMATS))
    return chosen


def _file(selection: Selection, form: str, out: Path | None) -> None:
    """Into ``out``; without it text goes to stdout, the rest into a file named after the set."""
    if out is None and form in TEXTS:
        sys.stdout.buffer.write(encode(selection, form))
        sys.stdout.buffer.flush()
        return
    target = out or Path(f"{selection.stem}.{form}")
    save(selection, form, target)
    output.data(str(target))


def _links(run: Run, spec: Spec, selection: Selection, out: Path) -> None:
    dataset, why = dataset_of(run, spec.data)
    if dataset is None:
        raise UserError(f"the class names are not known: {why}", "export ids or paths instead")
    if spec.data.root is None:
        raise UserError("the samples of this run are no files", "export their ids instead")
    root = spec.data.root.expanduser().absolute()
    made = link_folder(selection, root.parent if root.is_file() else root, dataset.classes, out)
    shown = ", ".join(f"{name} {count}" for name, count in sorted(made.items()))
    output.data(str(out))
    output.say(f"{plural(sum(made.values()), 'link')}: {shown}")


def _summary(selection: Selection) -> str:
    kept = f"{len(selection.ids):,} of {selection.total:,} samples"
    return f"{kept} (rate {selection.rate:g}, {selection.method}): {selection.how}"


def _in_rows(run: Run, spec: Spec, selection: Selection) -> Selection:
    """The selection with the source's row numbers in the place of ids."""
    dataset, why = dataset_of(run, spec.data)
    if dataset is None:
        raise UserError(f"the source's rows are not known: {why}", "export ids instead")
    return replace(selection, ids=source_rows(selection, dataset))


def _numbering(spec: Spec) -> str | None:
    """What an id means where training samples were taken out before ids were given."""
    taken = [k for k in ("test_fraction", "validation") if getattr(spec.data, k)]
    if not taken:
        return None
    left = " and ".join(f"data.{key}" for key in taken)
    return f"ids count the training samples that {left} left; --rows gives rows of the source"


def _to_label(selection: Selection, beside: Path) -> None:
    """Kept samples without a label, as a list to work through."""
    unlabelled = selection.unlabelled
    if not len(unlabelled):
        return
    paths = selection.paths
    wanted = set(unlabelled.tolist())
    names = [
        str(sample) if paths is None else paths[row]
        for row, sample in enumerate(selection.ids.tolist())
        if sample in wanted
    ]
    target = beside.absolute().parent / "to-label.txt"
    write_atomic(target, lines(names))
    output.say(f"{len(names):,} of them have no label yet: {target}")
