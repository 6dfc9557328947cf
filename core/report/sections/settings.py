"""Everything needed to do it again: the complete spec, versions, fingerprints."""

from __future__ import annotations

from core.report.facts import Facts
from core.report.html import folded, section, table, text


def settings(facts: Facts) -> str | None:
    """The section."""
    about = facts.summary["data"]
    rows = [
        ("run", facts.summary["run"]),
        ("data", f"{about['name']}, {about['n_train']:,} train, {about['n_test']:,} test"),
        ("data fingerprint", about["fingerprint"]),
        ("model", facts.spec.model.name),
        ("score", facts.score),
        ("extrapolation", facts.method),
        ("policy", facts.spec.prune.policy),
        ("seeds", ", ".join(str(s) for s in facts.summary["seeds"])),
    ]
    versions = sorted(facts.summary["versions"].items())
    return section(
        "settings", "Settings and versions", table(["what", "value"], rows),
        folded("The complete spec", f"<pre>{text(facts.spec.to_yaml())}</pre>"),
        folded("Versions", table(["package", "version"], versions)) if versions else None,
    )  # fmt: skip
