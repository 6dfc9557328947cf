"""From a YAML mapping to a complete :class:`core.spec.Spec`, with every problem found at once.

Unknown keys name the nearest valid one; plug-in options are checked against the plug-in's own
declaration; what is left out is filled in (score presets, the retraining recipe), so nothing is
decided later and the saved spec says all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from core import mixing, registry
from core.errors import UserError, nearest
from core.needs import MEASURED, companions, policy_needs, reads_dynamics, score_kind
from core.spec import (
    AlsoSpec,
    DataSpec,
    ExtrapolateSpec,
    ModelSpec,
    PluginSection,
    Section,
    Spec,
)

# Parts of the contract whose implementation is not in this version.
_LATER = {
    "sweep": "a sweep is many runs; start it with `prunectl sweep`",
}
_EMBEDDING_FILES = (".npy", ".npz")
_SECTIONS: dict[str, type[Section]] = {
    name: field.annotation
    for name, field in Spec.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
}
_NAMING = frozenset(
    f"{name}.{section.name_key}"
    for name, section in _SECTIONS.items()
    if issubclass(section, PluginSection)
)


class SpecError(UserError):
    """One or many problems of a spec; ``problems`` lists them all."""

    def __init__(self, problems: list[str], where: str = "the spec") -> None:
        head = problems[0] if len(problems) == 1 else f"{len(problems)} problems in {where}:"
        tail = "" if len(problems) == 1 else "\n  - " + "\n  - ".join(problems)
        super().__init__(head + tail)
        self.problems = problems


def parse_spec(mapping: Mapping[str, Any], where: str = "the spec") -> Spec:
    """A complete spec from a plain mapping. Raises SpecError listing every problem."""
    if not isinstance(mapping, Mapping):
        raise SpecError([f"{where} is not a mapping of sections; see `prunectl presets`"], where)
    raw = {k: dict(v) if isinstance(v, Mapping) else v for k, v in mapping.items()}
    for section in _SECTIONS:
        _plain_name(section, raw.get(section))
    problems = list(_embedding_source(raw.get("embed")))
    given = raw.get("retrain")
    own = frozenset(given) if isinstance(given, dict) else frozenset()
    problems += _unknown_keys(raw)
    known = {k: v for k, v in raw.items() if k in Spec.model_fields}
    problems += list(_fill(known))
    problems += list(_contradictions(known))
    try:
        spec = Spec.model_validate(known)
    except ValidationError as error:
        raise SpecError(_once([*problems, *_explain(error, known)], own), where) from None
    problems = problems or [
        *_short_training(spec), *_unvalidated(spec), *_mixed_kinds(spec),
        *_missing_companions(spec), *_untrained_embedding(spec), *_without_losses(spec),
        *mixing.contradictions(spec),
    ]  # fmt: skip
    if problems:
        raise SpecError(_once(problems, own), where)
    return spec


def _embedding_source(given: Any) -> Iterator[str]:
    """Make a mapping of the name of a model in ``embed.from``; yield what cannot be a source."""
    source = given.get("from", "scoring_net") if isinstance(given, dict) else "scoring_net"
    if isinstance(source, Mapping) and isinstance(source.get("name"), str):
        given["from"] = {**source, "name": _registered(ModelSpec, source["name"])}
    elif not isinstance(source, str):
        yield "embed.from: give scoring_net, a .npy or .npz file, or {name: MODEL, weights: FILE}"
        given["from"] = "scoring_net"
    elif source != "scoring_net" and not source.endswith(_EMBEDDING_FILES):
        if registry.check_name("model", _registered(ModelSpec, source)):
            hint = nearest(source, ("scoring_net", *registry.names("model")))
            yield f"embed.from: '{source}' is no .npy or .npz file and no model; {hint}"
            given["from"] = "scoring_net"
        else:
            given["from"] = {"name": _registered(ModelSpec, source)}


def _plain_name(section: str, given: Any) -> None:
    """Let a plug-in be named with hyphens, as published names often are."""
    kind = _SECTIONS[section]
    if not (issubclass(kind, PluginSection) and isinstance(given, dict)):
        return
    if isinstance(given.get(kind.name_key), str):
        given[kind.name_key] = _registered(kind, given[kind.name_key])


def _registered(kind: type[PluginSection], name: str) -> str:
    """The name as it is registered: with underscores where it was written with hyphens."""
    known, plain = registry.names(kind.kind), name.replace("-", "_")
    return plain if name not in known and plain in known else name


def parse_data(section: Mapping[str, Any]) -> DataSpec:
    """A ``data`` section by itself, options filled in. Raises SpecError listing every problem."""
    raw = dict(section)
    problems = list(_unknown_in("data", DataSpec, raw))
    problems += list(_fill_plugin("data", DataSpec, raw))
    try:
        data = DataSpec.model_validate(raw)
    except ValidationError as error:
        problems += [f"data.{line}" for line in _explain(error, raw)]
        raise SpecError(problems, "data") from None
    if problems:
        raise SpecError(problems, "data")
    return data


def _once(problems: list[str], own: frozenset[Any]) -> list[str]:
    """Without the problems of ``retrain`` that are those of ``train``, whose key it inherited."""

    def inherited(problem: str) -> bool:
        if problem == "retrain: missing":  # never to be written: train is the one in fault
            return True
        key = problem.removeprefix("retrain.").partition(":")[0].partition(".")[0]
        return problem.startswith("retrain.") and problem[2:] in problems and key not in own

    return [p for p in problems if not inherited(p)]


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file as a mapping. A missing or malformed file: UserError naming line and column."""
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        at = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise UserError(f"{path} is not valid YAML{at}: {error.problem}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {error}") from None
    if not isinstance(loaded, dict):
        raise UserError(f"{path} holds no mapping of sections", "start from a shipped preset")
    return loaded


def override(mapping: Mapping[str, Any], assignments: list[str]) -> dict[str, Any]:
    """Apply ``section.key=value`` texts (values in YAML). Naming another plug-in drops the options
    that only the former one knows."""
    result = {k: dict(v) if isinstance(v, Mapping) else v for k, v in mapping.items()}
    for text in assignments:
        key, sign, value = text.partition("=")
        if not sign or not key.strip():
            raise UserError(f"--set {text!r} is not key=value", "such as --set train.epochs=20ep")
        try:
            parsed = yaml.safe_load(value)
        except yaml.YAMLError:
            raise UserError(f"--set {text!r}: the value is not valid YAML") from None
        _assign(result, key.strip().split("."), parsed, f"--set {text!r}")
    return result


def assigned(mapping: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """A copy with ``section.key`` paths set to plain values. Names of plug-ins are set first, so
    that they do not drop an option that is set as well."""
    result = {k: dict(v) if isinstance(v, Mapping) else v for k, v in mapping.items()}
    for key in sorted(values, key=lambda k: k not in _NAMING):
        _assign(result, key.split("."), values[key], key)
    return result


def _assign(mapping: dict[str, Any], path: list[str], value: Any, text: str) -> None:
    section = _SECTIONS.get(path[0])
    old = mapping.get(path[0])
    plugin = section is not None and issubclass(section, PluginSection) and section
    if plugin and path[1:] == [plugin.name_key] and isinstance(old, dict):
        _drop_foreign_options(old, plugin, str(value))
    node = mapping
    for part in path[:-1]:
        inner = node.get(part)
        if inner is None:
            inner = {}
        if not isinstance(inner, Mapping):
            raise UserError(f"{text}: '{part}' has no keys below it")
        node[part] = dict(inner)
        node = node[part]
    node[path[-1]] = value


def _drop_foreign_options(section: dict[str, Any], kind: type[PluginSection], name: str) -> None:
    name = _registered(kind, name)
    if section.get(kind.name_key) == name or registry.check_name(kind.kind, name):
        return
    own = set(kind.model_fields) | registry.param_names(kind.kind, name)
    for key in [k for k in section if k not in own]:
        del section[key]
    if kind.kind == "score":  # a preset's settings belong to the score it was written for
        for key in ("preset", "record", "window"):
            section.pop(key, None)


def _unknown_keys(raw: dict[str, Any]) -> Iterator[str]:
    for key in list(raw):
        if key in _LATER:
            yield f"{key}: {_LATER[key]}"
        elif key not in Spec.model_fields:
            yield f"{key}: no such section; {nearest(str(key), Spec.model_fields)}"
    for name, section in _SECTIONS.items():
        if isinstance(raw.get(name), dict):
            yield from _unknown_in(name, section, raw[name])


def _unknown_in(prefix: str, section: type[BaseModel], given: dict[Any, Any]) -> Iterator[str]:
    valid = {f.alias or n: f.annotation for n, f in section.model_fields.items()}
    if issubclass(section, PluginSection):
        chosen = given.get(section.name_key, _default(section))
        if registry.check_name(section.kind, str(chosen)):
            valid |= dict.fromkeys(given)  # cannot tell: the wrong name itself is reported
        else:
            valid |= dict.fromkeys(registry.param_names(section.kind, str(chosen)))
    for key in list(given):
        path = f"{prefix}.{key}"
        if path in _LATER and key not in valid:
            yield f"{path}: {_LATER[path]}"
            del given[key]
        elif key not in valid:
            yield f"{path}: no such key; {nearest(str(key), valid)}"
            del given[key]
        elif isinstance(given[key], Mapping) and (inner := _section_of(valid[key])):
            given[key] = dict(given[key])
            yield from _unknown_in(path, inner, given[key])


def _default(section: type[BaseModel]) -> Any:
    return section.model_fields[section.name_key].default  # type: ignore[attr-defined]


def _section_of(annotation: Any) -> type[Section] | None:
    options = [annotation, *getattr(annotation, "__args__", ())]
    for option in options:
        if isinstance(option, type) and issubclass(option, Section):
            return option
    return None


def _fill(raw: dict[str, Any]) -> Iterator[str]:
    """Fill plug-in options, score presets and the retraining recipe in place; yield problems."""
    for name, section in _SECTIONS.items():
        if not issubclass(section, PluginSection):
            continue
        if raw.get(name) is None and name in ("paradigm", "extrapolate"):
            raw[name] = {}
        if name == "extrapolate" and _kind_of(raw.get("score")) in ("embedded", "given"):
            raw[name] = {"name": MEASURED}  # every sample has a score: nothing to predict
        if isinstance(raw.get(name), dict):
            yield from _fill_plugin(name, section, raw[name])
            yield from _fill_also(raw[name])
    embed = raw.get("embed")
    if isinstance(embed, dict) and isinstance(embed.get("from"), dict):
        yield from _fill_plugin("embed.from", ModelSpec, embed["from"])
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


def _fill_plugin(name: str, section: type[PluginSection], given: dict[str, Any]) -> Iterator[str]:
    chosen = given.setdefault(section.name_key, _default(section))
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
        yield from (f"{name}.{line}" for line in _explain(error, given))
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
        yield from _unknown_in("score.also", AlsoSpec, section)
        yield from _fill_plugin("score.also", AlsoSpec, section)
        filled.append(section)
    given["also"] = filled


def _explain(error: ValidationError, given: Mapping[str, Any]) -> Iterator[str]:
    for item in error.errors():
        if item["loc"][-1] == "str" and isinstance(item.get("input"), Mapping):
            continue  # of the two things embed.from can be it is meant to be the other
        place = [str(p) for p in item["loc"] if p not in ("function-plain[parse()]", "ModelSpec")]
        path = ".".join(p for p in place if not p.startswith(("literal[", "function-")))
        if path in _LATER:
            yield f"{path}: {_LATER[path]}"
        elif item["type"] == "missing":
            yield f"{path}: missing"
        elif item["type"] == "model_type":
            yield f"{path}: give a mapping of keys (got {item['input']!r})"
        elif item["type"] == "value_error":  # our own words, which say what was given
            yield f"{path}: {item['msg'].removeprefix('Value error, ')}"
        else:
            shown = item.get("input")
            given_text = "a mapping" if isinstance(shown, Mapping) else repr(shown)
            yield f"{path}: {item['msg'].lower()} (got {given_text})"


def _contradictions(raw: Mapping[str, Any]) -> Iterator[str]:
    """What two sections have against each other; they may both be wrong in themselves as well."""
    baselines = raw.get("baselines")
    full = isinstance(baselines, list | tuple) and "full_scores" in baselines
    retrain = raw.get("retrain")
    if isinstance(retrain, dict) and retrain.get("budget") == "seconds" and not _lists_full(raw):
        yield "retrain.budget: seconds is the time that full takes; add full to baselines"
    kinds = {_kind_of(raw.get("score"))}
    if kinds & {"embedded", "given"}:
        yield from _against_measured(raw)
    elif isinstance(raw.get("extrapolate"), dict) and raw["extrapolate"].get("name") == MEASURED:
        yield "extrapolate.name: measured is for scores that every sample has; name an extrapolator"
    elif _lacks_folds(raw):
        yield (
            "score.cross_fit: the extrapolator dynamics reads nets that left a fold of the subset "
            "out; set it to 2 or more"
        )
    elif full and raw.get("reference") != "full":
        yield "baselines: full_scores needs the full scores; set reference: full or leave it out"


def _lists_full(raw: Mapping[str, Any]) -> bool:
    """Whether full is a baseline; true also where what is given is wrong in itself."""
    baselines = raw.get("baselines", Spec.model_fields["baselines"].default)
    return not isinstance(baselines, list | tuple) or "full" in baselines


def _lacks_folds(raw: Mapping[str, Any]) -> bool:
    score, extrapolate = raw.get("score"), raw.get("extrapolate")
    if not isinstance(score, Mapping) or not isinstance(extrapolate, Mapping):
        return False
    return score.get("cross_fit", 0) == 0 and reads_dynamics(
        str(extrapolate.get("name", _default(ExtrapolateSpec))), extrapolate
    )


def _kind_of(section: Any) -> str | None:
    """The kind of the score that a raw section names; None where it names none."""
    name = section.get("name") if isinstance(section, Mapping) else None
    return score_kind(name) if name in registry.names("score") else None


def _against_measured(raw: Mapping[str, Any]) -> Iterator[str]:
    """What does not go with a score that every sample has."""
    score = raw["score"]
    name, kind = score["name"], _kind_of(score)
    for key in ("record", "window"):
        if score.get(key) is not None:
            yield f"score.{key}: {name} watches no training; leave it out"
    for key, default in (("nets", 1), ("cross_fit", 0), ("until", "end")):
        if score.get(key, default) != default:
            yield f"score.{key}: {name} watches no training; leave it {default}"
    baselines = raw.get("baselines")
    for baseline in ("true_random", "full_scores"):
        if isinstance(baselines, list | tuple) and baseline in baselines:
            yield f"baselines: every sample has a {name} score, so {baseline} says nothing"
    if raw.get("reference") == "full":
        yield f"reference: every sample has a {name} score already; set reference: none"
    policy = raw["prune"].get("policy", "top_k") if isinstance(raw.get("prune"), dict) else "top_k"
    if kind == "given" and policy in registry.names("policy"):
        wanted = {"embeddings", "neighbors"} & set(policy_needs(policy))
        if wanted:
            yield (
                f"prune.policy: {policy} reads {wanted.pop()}, but {name} comes without a net; "
                "use another policy or score"
            )


def _mixed_kinds(spec: Spec) -> Iterator[str]:
    """Scores that are extrapolated and scores that are not, in one run."""
    kind = score_kind(spec.score.name)
    for other in spec.score.also:
        if (score_kind(other.name) == "trained") != (kind == "trained"):
            yield (
                f"score.also: {other.name} ({score_kind(other.name)}) does not go with "
                f"{spec.score.name} ({kind}); run them one by one"
            )
        elif kind == "given" and score_kind(other.name) == "embedded":
            yield f"score.also: {other.name} needs a net, {spec.score.name} comes without one"


def _without_losses(spec: Spec) -> Iterator[str]:
    """A baseline that weighs samples, with a paradigm that only gives the loss of a batch."""
    about = registry.describe("paradigm", spec.paradigm.name)
    if "infobatch" in spec.baselines and not about.constants.get("SAMPLE_LOSSES", True):
        yield (
            "baselines: infobatch weighs the loss of each sample, and "
            f"{spec.paradigm.name} has one "
            "of a batch only; leave infobatch out"
        )


def _untrained_embedding(spec: Spec) -> Iterator[str]:
    """A model that embeds without ever having been trained."""
    model = spec.embed.model
    if model is not None and model.weights is None and not registry.is_own("model", model.name):
        yield f"embed.from: {model.name} is untrained; set embed.from.weights to a local file"


def _missing_companions(spec: Spec) -> Iterator[str]:
    """Further scores that the policy reads and nobody records."""
    for name in companions(spec.prune.policy, spec.prune.params):
        if name not in registry.names("score"):
            hint = nearest(name, registry.names("score"))
            yield f"prune: no score is called '{name}'; {hint}"
        elif name not in spec.score.names:
            listed = ", ".join((*spec.score.names[1:], name))
            yield (
                f"prune.policy: {spec.prune.policy} also reads the score '{name}'; add it: "
                f"score.also: [{listed}]"
            )


def _unvalidated(spec: Spec) -> Iterator[str]:
    """Scores that validation is to end, without validation or with a fixed end of their own."""
    if spec.score.until == "end":
        return
    if not spec.data.validation:
        yield (
            "score.until: best_validation needs samples that are not trained on; set "
            "data.validation, for example to 1024"
        )
    for section in (spec.score, *spec.score.also):
        if section.params.get("epoch", 0) < 0:
            yield (
                f"score.until: {section.name} reads epochs counted from the last one; set "
                "score.until: end, or its epoch to 0 or more"
            )


def _short_training(spec: Spec) -> Iterator[str]:
    """Scores that read more epochs than the scoring run has."""
    if spec.train.epochs.unit != "ep":
        return
    length = spec.train.epochs.value
    sections: list[AlsoSpec] = [spec.score, *spec.score.also]
    for place, section in zip(
        ["score"] + ["score.also"] * (len(sections) - 1), sections, strict=True
    ):
        first, span = section.params.get("epoch", 0), section.params.get("span", 0)
        reads = span or length - first if first >= 0 else span or -first
        if first + reads > length or reads > length:
            yield (
                f"{place}: {section.name} reads {reads} epochs from epoch {first} on (counted from "
                f"0), train.epochs is {length}ep; train longer, or set epoch and span lower"
            )
            continue
        window = section.window
        needed = window.length + window.skip + int(window.drop_last) if window else 0
        if reads < needed:
            yield (
                f"{place}.window: {section.name} needs {needed} epochs (length, skip and a dropped "
                f"last window) and reads {reads}, train.epochs is {length}ep; train longer or "
                "shorten the window"
            )
