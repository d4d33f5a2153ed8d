"""Answers of a given form: JSON that keeps a schema, a subset of JSON Schema 2020-12 that is named below."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from fastgate.guards.rule import Block, Kind, Place, Rule, Scanner

ANSWERS: frozenset[Kind] = frozenset({"answer_text"})

TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
KNOWN = frozenset(
    {
        *("type", "enum", "const", "properties", "required", "additionalProperties", "items", "minItems", "maxItems"),
        *("minLength", "maxLength", "pattern", "minimum", "maximum", "anyOf", "title", "description", "$schema"),
    }
)
DEEPEST = 32
"""Levels of a schema: what is judged must not outrun the stack."""

_FENCE = re.compile(rb"\A\s*```(?:json)?\s*\n(.*?)\n?```\s*\Z", re.DOTALL)


class AnswerSchema(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the scanner `answer-schema`."""

    schema: dict[str, Any] = {}
    """A JSON schema: type, enum, const, properties, required, additionalProperties, items, minItems, maxItems,
    minLength, maxLength, pattern, minimum, maximum, anyOf."""
    fenced: bool = True
    """Whether the JSON may stand in a fence of three back-ticks."""


def problem_of_schema(schema: Any, depth: int = 0) -> str:
    """What in a schema is not of the subset, "" for nothing."""
    if not isinstance(schema, dict) or depth > DEEPEST:
        return "a schema is an object, at most 32 levels deep"
    if unknown := sorted(set(schema) - KNOWN):
        return f"{unknown[0]} is not known"
    named = schema.get("type", [])
    if any(each not in TYPES for each in ([named] if isinstance(named, str) else named)):
        return f"no type {named!r}"
    parts = [*schema.get("properties", {}).values(), *schema.get("anyOf", [])]
    parts += [schema[name] for name in ("items", "additionalProperties") if isinstance(schema.get(name), dict)]
    return next((found for part in parts if (found := problem_of_schema(part, depth + 1))), "")


def fits(value: Any, schema: dict[str, Any]) -> bool:
    """Whether the value keeps the schema."""
    named = schema.get("type")
    if named is not None:
        kinds = [named] if isinstance(named, str) else named
        if not any(
            isinstance(value, TYPES[kind]) and not (isinstance(value, bool) and kind != "boolean") for kind in kinds
        ):
            return False
    if ("enum" in schema and value not in schema["enum"]) or ("const" in schema and value != schema["const"]):
        return False
    if "anyOf" in schema and not any(fits(value, part) for part in schema["anyOf"]):
        return False
    return _fits_kind(value, schema)


def _fits_kind(value: Any, schema: dict[str, Any]) -> bool:
    match value:
        case dict():
            own = schema.get("properties", {})
            more = schema.get("additionalProperties", True)
            if any(name not in value for name in schema.get("required", [])):
                return False
            return all(
                fits(each, own[name]) if name in own else (fits(each, more) if isinstance(more, dict) else bool(more))
                for name, each in value.items()
            )
        case list():
            if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
                return False
            return "items" not in schema or all(fits(each, schema["items"]) for each in value)
        case str():
            if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
                return False
            return "pattern" not in schema or re.search(schema["pattern"], value) is not None
        case int() | float() if not isinstance(value, bool):
            return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))
    return True


def make(settings: AnswerSchema) -> tuple[Rule, ...]:
    """One rule; none without a schema. ValueError says what in the schema is not known."""
    if not settings.schema:
        return ()
    if problem := problem_of_schema(settings.schema):
        raise ValueError(f"answer-schema: {problem}")

    def look(block: Block) -> Iterator[Place]:
        fence = _FENCE.match(block.text) if settings.fenced else None
        try:
            value = msgspec.json.decode(fence[1] if fence else block.text)
        except (msgspec.DecodeError, RecursionError):
            yield 0, max(1, len(block.text))
            return
        if not fits(value, settings.schema):
            yield 0, max(1, len(block.text))

    return (
        Rule(
            id="answer-schema",
            title="an answer that does not keep its schema",
            look=look,
            kinds=ANSWERS,
            severity="high",
            samples=("this is no JSON",),
        ),
    )


SCANNER = Scanner(name="answer-schema", title="Answers of a given form", settings=AnswerSchema, make=make)
