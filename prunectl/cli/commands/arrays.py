"""The two halves of a run by themselves, on files of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prunectl.cli.commands.options import Json

app = typer.Typer()


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
        typer.Option(metavar="SIZE", help="Beside the mapped E, such as 2G; knn, kernel, ridge."),
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
