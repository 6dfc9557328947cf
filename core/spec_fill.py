"""What a mapping leaves out: options of plug-ins, score presets, the retraining recipe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from core import registry
from core.errors import nearest
from core.needs import MEASURED
from core.section import PluginSection
from core.spec import AlsoSpec, ModelSpec
from core.spec_names import SECTIONS, default_name, named_kind, registered
from core.spec_problems import explain, unknown_in

_EMBEDDING_FILES = (".npy", ".npz")


def plain_name(section: str, given: Any) -> None:
    """Let a plug-in be named with hyphens, as published names often are."""
    kind = SECTIONS[section]
    if not (issubclass(kind, PluginSection) and isinstance(given, dict)):
        return
    if isinstance(given.get(kind.name_key), str):
        given[kind.name_key] = registered(kind, given[kind.name_key])


def embedding_source(given: Any) -> Iterator[str]:
    """Make a mapping of the name of a model in ``embed.from``; yield what cannot be a source."""
    source = given.get("from", "scoring_net") if isinstance(given, dict) else "scoring_net"
    if isinstance(source, Mapping) and isinstance(source.get("name"), str):
        given["from"] = {**source, "name": registered(ModelSpec, source["name"])}
    elif not isinstance(source, str):
        yield "embed.from: give scoring_net, a .npy or .npz file, or {name: MODEL, weights: FILE}"
        given["from"] = "scoring_net"
    elif source != "scoring_net" and not source.endswith(_EMBEDDING_FILES):
        if registry.check_name("model", registered(ModelSpec, source)):
            hint = nearest(source, ("scoring_net", *registry.names("model")))
            yield f"embed.from: '{source}' is no .npy or .npz file and no model; {hint}"
            given["from"] = "scoring_net"
        else:
            given["from"] = {"name": registered(ModelSpec, source)}


def fill(raw: dict[str, Any]) -> Iterator[str]:
    """Fill plug-in options, score presets and the retraining recipe in place; yield problems."""
    for name, section in SECTIONS.items():
        if not issubclass(section, PluginSection):
            continue
        if raw.get(name) is None and name in ("paradigm", "extrapolate"):
            raw[name] = {}
        if name == "extrapolate" and named_kind(raw.get("score")) in ("embedded", "given"):
            raw[name] = {"name": MEASURED}  # every sample has a score: nothing to predict
        if isinstance(raw.get(name), dict):
            yield from fill_plugin(name, section, raw[name])
            yield from _fill_also(raw[name])
    embed = raw.get("embed")
    if isinstance(embed, dict) and isinstance(embed.get("from"), dict):
        yield from fill_plugin("embed.from", ModelSpec, embed["from"])
    if isinstance(raw.get("train"), dict):
        retrain = raw.get("retrain") or {}
        raw["retrain"] = _merge(raw["train"], retrain) if isinstance(retrain, dict) else retrain


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        renamed = (
            isinstance(value, Mapping)
            and isinstance(old, Mapping)
            and (value.get("name", old.get("name")) != old.get("name"))
        )
        if isinstance(value, Mapping) and isinstance(old, Mapping) and not renamed:
            merged[key] = {**old, **value}
        else:
            merged[key] = value
    return merged


def fill_plugin(name: str, section: type[PluginSection], given: dict[str, Any]) -> Iterator[str]:
    """Fill in the plug-in that a section names and its options, checked; yield problems."""
    chosen = given.setdefault(section.name_key, default_name(section))
    if not isinstance(chosen, str) or (section.kind == "extrapolator" and chosen == MEASURED):
        return
    if problem := registry.check_name(section.kind, chosen):
        yield f"{name}.{section.name_key}: {problem}"
        return
    if section.kind == "score":
        yield from _fill_score(name, given, chosen)
    own = registry.param_names(section.kind, chosen)
    try:
        filled = registry.validate_params(
            section.kind, chosen, {k: v for k, v in given.items() if k in own}
        )
    except ValidationError as error:
        yield from (f"{name}.{line}" for line in explain(error))
    else:
        given.update(filled)


def _fill_score(name: str, given: dict[str, Any], chosen: str) -> Iterator[str]:
    presets: Mapping[str, Mapping[str, Any]] = registry.describe("score", chosen).constants.get(
        "PRESETS", {}
    )
    preset = given.get("preset") or next(iter(presets), None)
    if preset is None:
        return
    if not isinstance(preset, str) or preset not in presets:
        hint = nearest(str(preset), presets)
        yield f"{name}.preset: {chosen} has no preset '{preset}'; {hint}"
        return
    given["preset"] = preset
    merged = _merge(presets[preset], {k: v for k, v in given.items() if v is not None})
    if name == "score.also":  # recorded from the nets that the main score asks for
        merged.pop("nets", None)
    given.update(merged)


def _fill_also(given: dict[str, Any]) -> Iterator[str]:
    """Turn names into sections and fill each in, as the score's own; yield problems."""
    also = given.get("also")
    if not isinstance(also, list | tuple):
        return
    filled: list[Any] = []
    for entry in also:
        section = {"name": entry} if isinstance(entry, str) else entry
        if not isinstance(section, Mapping):
            filled.append(entry)  # the wrong type itself is reported
            continue
        section = dict(section)
        name = section.get("name")
        if name == given.get("name"):
            yield f"score.also: '{name}' is already the score itself"
        elif any(isinstance(f, Mapping) and f.get("name") == name for f in filled):
            yield f"score.also: '{name}' is listed twice; each score has one column"
        yield from unknown_in("score.also", AlsoSpec, section)
        yield from fill_plugin("score.also", AlsoSpec, section)
        filled.append(section)
    given["also"] = filled
