"""What a run's ``summary.json`` adds to its nodes: datasets, savings, agreement, a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import fmean
from typing import Any

from core.sinks import names
from core.sinks.nodes import Data, Node

NOTE = "mlflow.note.content"


def conclude(
    nodes: Mapping[str, Node],
    spec: Mapping[str, Any],
    summary: Mapping[str, Any],
    ms: int,
    kept_digest: Callable[[str], str | None],
) -> None:
    """Add to the nodes in place; doing it twice changes nothing."""
    _datasets(nodes, spec, summary, kept_digest)
    if summary.get("status") != "finished":
        return  # a resumed run would have other savings
    cost = summary.get("cost") or {}
    for row in summary.get("trials") or ():
        node = nodes.get(row["id"])
        if node is not None:
            _trial(node, row, cost.get("full_training_seconds"), ms)
    for row in summary.get("extrapolation") or ():
        if row["score"] == (spec.get("score") or {}).get("name"):
            _agreement(nodes, row, ms)
    if "run" in nodes:
        _parent(nodes["run"], spec, summary, ms)


def _datasets(
    nodes: Mapping[str, Node],
    spec: Mapping[str, Any],
    summary: Mapping[str, Any],
    kept_digest: Callable[[str], str | None],
) -> None:
    about = summary.get("data") or {}
    given = {k: v for k, v in (spec.get("data") or {}).items() if v is not None}
    source = {**given, "fingerprint": about.get("fingerprint")}
    profile = {k: about.get(k) for k in ("n_train", "n_test", "classes")}
    digest = str(about.get("fingerprint") or "")[: names.MAX_DIGEST]
    whole = Data(str(about.get("name")), digest, "training", source, profile)
    for child in nodes.values():
        if digest and not child.data:
            child.data.append(whole)
    for row in summary.get("trials") or ():
        node = nodes.get(row["id"])
        if node is None or not row.get("kept_path") or len(node.data) > 1:
            continue
        kept = kept_digest(row["kept_path"])
        if kept is not None:
            tags = {"rate": f"{row['rate']:g}", "method": row["method"], "score": str(row["score"])}
            tags["subset_share"] = str(row["subset_share"])
            where = {"run": summary.get("run"), "path": row["kept_path"], "sha256": kept}
            name, size = f"{about.get('name')}-kept", {"n_kept": row["n_kept"]}
            node.data.append(Data(name, kept[: names.MAX_DIGEST], "kept", where, size, tags))


def _trial(node: Node, row: Mapping[str, Any], full: float | None, ms: int) -> None:
    loop = node.values.get("cost/seconds")
    if full and loop is not None:
        node.tell("cost/saving", 1 - loop.value / full, ms)
    if row.get("subset_share") is not None:
        node.tell("subset/share", row["subset_share"], ms)
    node.tell("prune/n_kept", row["n_kept"], ms)


def _agreement(nodes: Mapping[str, Node], row: Mapping[str, Any], ms: int) -> None:
    reference = row.get("reference")
    if not reference:
        return
    for node in nodes.values():
        if node.params.get("seed") != str(row["seed"]):
            continue
        alone = "sweep" not in node.tags  # else several methods may predict its scores
        if alone and node.id == f"score-s{row['seed']}" or node.params["method"] == row["method"]:
            node.tell("extrapolation/spearman_full", reference.get("spearman"), ms)


def _parent(node: Node, spec: Mapping[str, Any], summary: Mapping[str, Any], ms: int) -> None:
    cost = summary.get("cost") or {}
    method, rates = (spec.get("extrapolate") or {}).get("name"), spec["prune"]["rates"]
    for row in cost.get("by_rate") or ():
        if row["method"] == method and row["rate"] == rates[0]:
            node.tell("saving", row["saving"], ms)
            node.tell("saving_passes", row["saving_passes"], ms)
            node.tell("cost/loop_seconds", row["loop_seconds"], ms)
    for key in ("full_training_seconds", "break_even_rate"):
        if cost.get(key) is not None:
            node.tell(f"cost/{key}", cost[key], ms)
    heldout = [
        row["heldout"]["spearman"]
        for row in summary.get("extrapolation") or ()
        if row["score"] == spec["score"]["name"] and row["heldout"]["spearman"] is not None
    ]
    if heldout:
        node.tell("extrapolation/spearman", fmean(heldout), ms)
    node.tags[NOTE] = names.text_of(note(summary), names.MAX_TAG)


def note(summary: Mapping[str, Any], cell: str | None = None) -> str:
    """The trade-off as a Markdown table, for the run's page; ``cell`` is a first column."""
    savings = {
        (row["method"], row["policy"], row["rate"]): row["saving"]
        for row in (summary.get("cost") or {}).get("by_rate") or ()
    }
    first = () if cell is None else ("cell",)
    titles = (*first, "method", "rate", "metric", "mean", "std", "n", "saving")
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for row in summary.get("tradeoff") or ():
        saving = savings.get((row["method"], row["policy"], row["rate"]))
        cells = [
            *(() if cell is None else (cell,)), row["method"], f"{row['rate']:g}",
            row["metric"], _shown(row["mean"]),
            _shown(row["std"]), str(row["n"]), "" if saving is None else f"{saving:+.1%}",
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
