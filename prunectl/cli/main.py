"""The commands and their words. Each imports its own module when it is called, so that
``prunectl --help`` loads Typer and nothing else."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from prunectl.cli import completion
from prunectl.cli.data import app as data_commands


class Commands(TyperGroup):
    """Turns the engine's errors into ``error: what`` and an exit code, and nothing else."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command; its return value is the exit code."""
        try:
            code = super().invoke(ctx)
        except OSError as error:
            if isinstance(error, BrokenPipeError):
                raise  # `prunectl ls | head` is no error; Typer ends quietly
            from prunectl.cli import output

            output.fail(f"{error.filename or ''}: {error.strerror or error}".lstrip(": "))
            code = output.MACHINE
        except Exception as error:
            from core.errors import PrunectlError
            from prunectl.cli import output

            if not isinstance(error, PrunectlError):
                raise
            output.fail(error.what, error.todo)
            code = error.exit_code
        raise typer.Exit(code or 0)


app = typer.Typer(
    name="prunectl",
    cls=Commands,
    help="Which samples can you drop, what does it cost, and did it pay? "
    "Score a subset, extrapolate, prune, retrain.",
    epilog="Example: prunectl run quickstart",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

RunId = Annotated[
    str,
    typer.Argument(
        metavar="RUN", help="Id, unique prefix or path.", autocompletion=completion.run_ids
    ),
]
OptionalRun = Annotated[
    str | None,
    typer.Argument(
        metavar="RUN", help="Id, unique prefix or path; else the newest.",
        autocompletion=completion.run_ids,
    ),
]  # fmt: skip
RunsDir = Annotated[
    Path | None,
    typer.Option("--runs-dir", metavar="DIR", help="Else $PRUNECTL_RUNS, else ./runs."),
]
Json = Annotated[bool, typer.Option("--json", help="JSON on stdout and nothing else.")]
Detach = Annotated[bool, typer.Option("--detach", help="Leave it running and return its id.")]


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as of

        print(of("prunectl"))
        raise typer.Exit()


@app.command(epilog="Example: prunectl run quickstart --set train.epochs=20ep --seeds 5")
def run(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="PRESET|SPEC.yaml",
            help="What to run.",
            autocompletion=completion.preset_names,
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="The same, by name.", autocompletion=completion.preset_names
        ),
    ] = None,
    assign: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change a key; repeatable, YAML."),
    ] = None,
    device: Annotated[
        str | None, typer.Option(metavar="D", help="auto, cpu, cuda:0 or mps.")
    ] = None,
    seeds: Annotated[int | None, typer.Option(metavar="N", help="Seeds 0 to N-1.")] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Compute all of it again, reuse nothing.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only predict the cost.")] = False,
    detach: Detach = False,
    as_json: Json = False,
    runs_dir: RunsDir = None,
) -> int:
    """Run a preset or a spec: subset, score, extrapolate, prune, retrain."""
    from prunectl.cli import run as command

    return command.run(
        source, preset, assign or [], device=device, seeds=seeds, fresh=fresh, dry_run=dry_run,
        detach=detach, as_json=as_json, runs_dir=runs_dir,
    )  # fmt: skip


@app.command(epilog="Example: prunectl sweep quickstart --axis extrapolate.k=5,10 --jobs 2")
def sweep(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="PRESET|SPEC.yaml|SWEEP",
            help="What to vary, or a sweep that exists.",
            autocompletion=completion.preset_names,
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="The same, by name.", autocompletion=completion.preset_names
        ),
    ] = None,
    assign: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change a key; repeatable, YAML."),
    ] = None,
    axis: Annotated[
        list[str] | None,
        typer.Option("--axis", metavar="SECTION.KEY=A,B", help="Vary a key; repeatable, YAML."),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(metavar="N", help="Seeds 0 to N-1, in every cell.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Tasks at a time; CPU: else the cores.")
    ] = None,
    devices: Annotated[
        str | None, typer.Option(metavar="0,1", help="CUDA devices, or cpu; else all there are.")
    ] = None,
    slots_per_device: Annotated[
        int | None, typer.Option(metavar="K", min=1, help="Tasks at a time on one device.")
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Of a sweep that exists: failed cells again.")
    ] = False,
    max_failures: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Begin nothing more after N failed cells."),
    ] = None,
    cell_timeout: Annotated[
        str | None, typer.Option(metavar="T", help="Longest time for one task, such as 30m.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only predict the cost.")] = False,
    detach: Detach = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask, however much it is.")] = False,
    as_json: Json = False,
    runs_dir: RunsDir = None,
) -> int:
    """Run every combination of some settings; what they share is computed once."""
    from prunectl.cli import sweep as command
    from prunectl.sweep.options import Options

    options = Options(
        jobs, devices, slots_per_device, max_failures, command.seconds(cell_timeout), retry_failed
    )
    return command.sweep(
        source, preset, assign or [], axis or [], options, seeds=seeds, dry_run=dry_run,
        detach=detach, yes=yes, as_json=as_json, runs_dir=runs_dir,
    )  # fmt: skip


@app.command(epilog="Example: prunectl resume k3fa --labels labels.csv")
def resume(
    name: RunId,
    labels: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Labels of chosen samples; CSV: id or path, label."),
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Of a sweep: failed cells again.")
    ] = False,
    detach: Detach = False,
    as_json: Json = False,
    runs_dir: RunsDir = None,
) -> int:
    """Continue a stopped, failed or killed run or sweep where it was."""
    from prunectl.cli import control

    return control.resume(
        name, detach=detach, as_json=as_json, runs_dir=runs_dir, labels=labels,
        retry_failed=retry_failed,
    )  # fmt: skip


@app.command(epilog="Example: prunectl attach k3fa")
def attach(name: OptionalRun = None, as_json: Json = False, runs_dir: RunsDir = None) -> int:
    """Follow a run that works in the background; Ctrl-C detaches."""
    from prunectl.cli import control

    return control.attach(name, as_json=as_json, runs_dir=runs_dir)


@app.command(epilog="Example: prunectl tui k3fa --read-only")
def tui(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN",
            help="Id, unique prefix or path of a run or sweep; else the list of runs.",
            autocompletion=completion.run_ids,
        ),
    ] = None,
    runs_dir: RunsDir = None,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Start, stop and delete nothing.")
    ] = False,
    plain: Annotated[bool, typer.Option("--ascii", help="Charts and marks in ASCII.")] = False,
    low_bandwidth: Annotated[
        bool, typer.Option("--low-bandwidth", help="Redraw at most once a second.")
    ] = False,
    no_mouse: Annotated[
        bool, typer.Option("--no-mouse", help="Leave the mouse to the terminal.")
    ] = False,
    theme: Annotated[
        str | None, typer.Option(metavar="NAME", help="dark, light, safe or mono.")
    ] = None,
) -> int:
    """Open the console: runs, curves, trade-off, cost, samples. Closing it hurts no run."""
    from prunectl.tui import terminal

    return terminal.tui(
        name,
        runs_dir=runs_dir,
        read_only=read_only,
        plain=plain,
        low_bandwidth=low_bandwidth,
        mouse=not no_mouse,
        theme=theme,
    )


@app.command(epilog="Example: prunectl stop k3fa")
def stop(
    name: RunId,
    now: Annotated[bool, typer.Option("--now", help="Kill it, without a checkpoint.")] = False,
    runs_dir: RunsDir = None,
) -> int:
    """Stop a run at a checkpoint, a sweep when its running tasks are done; both can be resumed."""
    from prunectl.cli import control

    return control.stop(name, now=now, runs_dir=runs_dir)


@app.command(epilog="Example: prunectl cancel k3fa")
def cancel(name: RunId, runs_dir: RunsDir = None) -> int:
    """Stop a run, or all tasks of a sweep, at a checkpoint; both can be resumed."""
    from prunectl.cli import control

    return control.cancel(name, runs_dir=runs_dir)


@app.command(epilog="Example: prunectl logs -f k3fa")
def logs(
    name: OptionalRun = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as it grows.")] = False,
    worker: Annotated[
        bool, typer.Option("--worker", help="What the process printed instead.")
    ] = False,
    runs_dir: RunsDir = None,
) -> int:
    """What happened in a run, one line an event."""
    from prunectl.cli import control

    return control.logs(name, follow=follow, worker=worker, runs_dir=runs_dir)


@app.command(epilog="Example: prunectl ls --json")
def ls(as_json: Json = False, runs_dir: RunsDir = None) -> int:
    """List the runs and sweeps, newest first."""
    from prunectl.cli import listing

    return listing.runs(as_json=as_json, runs_dir=runs_dir)


@app.command(epilog="Example: prunectl show k3fa --json > summary.json")
def show(name: OptionalRun = None, as_json: Json = False, runs_dir: RunsDir = None) -> int:
    """Show a run's or a sweep's results."""
    from prunectl.cli import listing

    return listing.show(name, as_json=as_json, runs_dir=runs_dir)


@app.command(epilog="Example: prunectl compare k3fa m2qd --baseline random --markdown")
def compare(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN|SWEEP...",
            help="Ids, unique prefixes or paths; a sweep stands for its cells.",
            autocompletion=completion.run_ids,
        ),
    ],
    baseline: Annotated[
        str | None,
        typer.Option(metavar="METHOD|RUN", help="What to compare with; else random."),
    ] = None,
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV, one line a figure.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Markdown tables.")] = False,
    runs_dir: RunsDir = None,
) -> int:
    """Compare runs: what differs, accuracy with paired intervals, cost, the Pareto front."""
    from prunectl.cli import compare as command

    return command.compare(
        names, baseline=baseline, as_json=as_json, as_csv=as_csv, as_markdown=as_markdown,
        runs_dir=runs_dir,
    )  # fmt: skip


@app.command(epilog="Example: prunectl export k3fa --rate 0.5 --out kept.npy")
def export(
    name: RunId,
    rate: Annotated[float, typer.Option(metavar="R", help="The pruned fraction.")],
    method: Annotated[
        str | None, typer.Option(metavar="M", help="Else the run's own method.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="S", help="Else the consensus of all seeds.")
    ] = None,
    form: Annotated[
        str | None,
        typer.Option("--format", metavar="F", help="npy, txt, csv or parquet; else by --out, txt."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Else stdout; npy and parquet: a new file.")
    ] = None,
    how: Annotated[
        tuple[str, Path] | None,
        typer.Option("--as", metavar="links DIR", help="A folder of links to the kept files."),
    ] = None,
    rows: Annotated[
        bool, typer.Option("--rows", help="Into npy: rows of the source in the place of ids.")
    ] = False,
    runs_dir: RunsDir = None,
) -> int:
    """Write which samples to keep: ids, or the paths of their files."""
    from prunectl.cli import export as command

    return command.export(
        name, rate, method=method, seed=seed, form=form, out=out, how=how, rows=rows,
        runs_dir=runs_dir,
    )  # fmt: skip


@app.command(epilog="Example: prunectl report k3fa --open")
def report(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN|SWEEP...",
            help="One, or several for a page that compares; else the newest.",
            autocompletion=completion.run_ids,
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Else report.html in its folder.")
    ] = None,
    show_it: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    runs_dir: RunsDir = None,
) -> int:
    """Write results of a run, of a sweep or of several side by side, as one HTML page."""
    from prunectl.cli import report as command

    return command.report(names or [], out=out, show_it=show_it, runs_dir=runs_dir)


@app.command(epilog="Example: prunectl rm k3fa")
def rm(
    names: Annotated[
        list[str], typer.Argument(metavar="RUN...", autocompletion=completion.run_ids)
    ],
    runs_dir: RunsDir = None,
) -> int:
    """Move runs and sweeps to the trash."""
    from prunectl.cli import trash

    return trash.remove(names, runs_dir)


@app.command(epilog="Example: prunectl restore k3fa")
def restore(
    names: Annotated[
        list[str], typer.Argument(metavar="RUN...", autocompletion=completion.trashed_ids)
    ],
    runs_dir: RunsDir = None,
) -> int:
    """Bring runs back from the trash."""
    from prunectl.cli import trash

    return trash.restore(names, runs_dir)


@app.command(epilog="Example: prunectl gc --dry-run")
def gc(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    runs_dir: RunsDir = None,
) -> int:
    """Delete for good: results no run refers to, checkpoints of dead runs, the trash."""
    from prunectl.cli import disk

    return disk.gc(dry_run=dry_run, yes=yes, runs_dir=runs_dir)


@app.command(epilog="Example: prunectl du --json")
def du(as_json: Json = False, runs_dir: RunsDir = None) -> int:
    """Show what each run and the shared store take on the disk."""
    from prunectl.cli import disk

    return disk.du(as_json=as_json, runs_dir=runs_dir)


@app.command(epilog="Example: prunectl presets quickstart > my.yaml")
def presets(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="PRESET", help="Print its text.", autocompletion=completion.preset_names
        ),
    ] = None,
    as_json: Json = False,
) -> int:
    """List the presets, or print one."""
    from prunectl.cli import listing

    return listing.presets(name, as_json=as_json)


@app.command(epilog="Example: prunectl plugins score")
def plugins(
    kind: Annotated[
        str | None,
        typer.Argument(
            metavar="KIND", help="Only this kind, with options.", autocompletion=completion.kinds
        ),
    ] = None,
    as_json: Json = False,
) -> int:
    """List what a spec can name: datasets, models, scores, extrapolators, policies."""
    from prunectl.cli import listing

    return listing.plugins(kind, as_json=as_json)


@app.command(epilog="Example: prunectl doctor --json")
def doctor(as_json: Json = False, runs_dir: RunsDir = None) -> int:
    """Check python, packages, device, disk and folders."""
    from prunectl.cli import doctor as command

    return command.doctor(as_json=as_json, runs_dir=runs_dir)


@app.command(epilog="Example: prunectl where")
def where(as_json: Json = False, runs_dir: RunsDir = None) -> int:
    """Print every path prunectl uses."""
    from prunectl.cli import doctor as command

    return command.where(as_json=as_json, runs_dir=runs_dir)


@app.command(epilog="Example: prunectl sync k3fa")
def sync(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN",
            help="Id, unique prefix or path; else all.",
            autocompletion=completion.run_ids,
        ),
    ] = None,
    runs_dir: RunsDir = None,
) -> int:
    """Send to MLflow what is not there yet, and wait for it."""
    from prunectl.cli import tracking

    return tracking.sync(name, runs_dir=runs_dir)


@app.command(epilog="Example: prunectl ui --port 5001")
def ui(
    port: Annotated[
        int | None, typer.Option(metavar="PORT", min=1, max=65535, help="Else the next from 5000.")
    ] = None,
    runs_dir: RunsDir = None,
) -> int:
    """Open MLflow's own UI on the runs, on this machine only."""
    from prunectl.cli import tracking

    return tracking.ui(port=port, runs_dir=runs_dir)


@app.command(epilog="Example: prunectl extrapolate --embeddings E.npy --scores S.csv --out F.pq")
def extrapolate(
    embeddings: Annotated[
        Path, typer.Option("--embeddings", metavar="E.npy", help="[samples, features], any float.")
    ],
    scores: Annotated[
        Path, typer.Option("--scores", metavar="S.csv", help="Columns id (row of E) and score.")
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="F.parquet", help="Columns id, score, std, source.")
    ],
    labels: Annotated[
        Path | None,
        typer.Option("--labels", metavar="Y.npy", help="A whole number a sample, -1: unknown."),
    ] = None,
    method: Annotated[
        str, typer.Option(metavar="NAME", help="`prunectl plugins extrapolator` lists them.")
    ] = "auto",
    assign: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="The method's own option; repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Draws the held-out fold.")] = 0,
    threads: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="CPU threads; else all cores.")
    ] = None,
    max_memory: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Beside the mapped embeddings, such as 2G; method knn."),
    ] = None,
    in_sample: Annotated[
        bool, typer.Option("--in-sample", help="The embedding net was trained on what is scored.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Predict the scores of all samples from the scores of a few, on files of your own."""
    from prunectl.cli import arrays

    return arrays.extrapolate(
        embeddings, scores, out, labels=labels, method=method, assign=assign or [], seed=seed,
        threads=threads, max_memory=max_memory, in_sample=in_sample, as_json=as_json,
    )  # fmt: skip


@app.command(epilog="Example: prunectl prune --scores scores.parquet --rate 0.5 --out kept.npy")
def prune(
    scores: Annotated[
        Path, typer.Option("--scores", metavar="F.parquet", help="Columns id and score, or CSV.")
    ],
    rate: Annotated[float, typer.Option(metavar="R", help="Share to drop, between 0 and 1.")],
    out: Annotated[Path, typer.Option("--out", metavar="K.npy", help="Sorted ids to keep, int64.")],
    policy: Annotated[
        str, typer.Option(metavar="NAME", help="`prunectl plugins policy` lists them.")
    ] = "top_k",
    labels: Annotated[
        Path | None,
        typer.Option("--labels", metavar="Y.npy", help="By id, for policies that read labels."),
    ] = None,
    column: Annotated[str, typer.Option(metavar="NAME", help="The column to prune by.")] = "score",
    low: Annotated[bool, typer.Option("--low", help="Keep low scores, not high ones.")] = False,
    assign: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="The policy's own option; repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Of policies that draw.")] = 0,
    as_json: Json = False,
) -> int:
    """Choose which samples to keep by the scores in a file of your own."""
    from prunectl.cli import arrays

    return arrays.prune(
        scores, rate, out, policy=policy, labels=labels, column=column, low=low,
        assign=assign or [], seed=seed, as_json=as_json,
    )  # fmt: skip


app.add_typer(data_commands, name="data")


def main() -> None:
    """The console script."""
    if sys.platform == "win32":
        sys.exit("error: prunectl runs on Linux and macOS\n  on Windows use WSL")
    from prunectl.cli import output

    output.prepare_streams()
    app(prog_name="prunectl")


if __name__ == "__main__":
    main()
