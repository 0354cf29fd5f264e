"""What a reader wants to know of a JSON schema: its fields, their types and limits, in words."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

type Node = Mapping[str, Any]
"""An object of the OpenAPI document."""

MODELS = "#/components/schemas/"
DEPTH_MAX = 5
"""How deep objects without a name of their own are shown within one table."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a type in words; `model` is the name of the schema that it leads to."""

    text: str
    model: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """What a value has to keep to; `values` are as they stand in JSON or in the schema."""

    label: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Field:
    """A member of an object, or a parameter, where `place` says of what."""

    name: str
    type: tuple[Piece, ...]
    rules: tuple[Rule, ...]
    description: str
    is_required: bool
    place: str = ""


class Schemas:
    """The schemas of one document."""

    def __init__(self, document: Node) -> None:
        self._document = document

    def at(self, node: Node) -> Node:
        """The node, or what its `$ref` names; KeyError for what is not there."""
        while "$ref" in node:
            target: Any = self._document
            for step in node["$ref"].removeprefix("#/").split("/"):
                target = target[step.replace("~1", "/").replace("~0", "~")]
            # OpenAPI 3.1 lets a description stand beside the reference.
            node = {**target, **{name: node[name] for name in node.keys() - {"$ref"}}}
        return node

    def models(self) -> dict[str, Node]:
        """The schemas with a section of their own, by name."""
        every = self._document.get("components", {}).get("schemas", {})
        return {name: schema for name, schema in every.items() if _is_model(schema)}

    def model_of(self, schema: Node) -> str:
        """The name of the model that the schema refers to; empty if it refers to none."""
        name = schema.get("$ref", "").removeprefix(MODELS)
        return name if name and _is_model(self.at(schema)) else ""

    def type_of(self, schema: Node) -> tuple[Piece, ...]:
        """The schema's type in words."""
        return tuple(_merged(self._pieces(schema)))

    def fields(self, schema: Node, *, prefix: str = "", depth: int = 0) -> list[Field]:
        """The members of an object, those of nameless objects within it beneath theirs."""
        schema = self._whole(schema)
        found = []
        for name, member in schema.get("properties", {}).items():
            is_required = name in schema.get("required", ())
            found.append(self.field(prefix + name, member, is_required=is_required))
            path, inner = self._nameless(prefix + name, member)
            if inner is not None and depth < DEPTH_MAX:
                found += self.fields(inner, prefix=f"{path}.", depth=depth + 1)
        return found

    def field(self, name: str, schema: Node, *, is_required: bool, place: str = "") -> Field:
        """What there is to say of one value."""
        rules = tuple(self._rules(schema))
        text = self._first(schema, "description")
        return Field(name, self.type_of(schema), rules, text, is_required, place)

    def variants(self, schema: Node) -> list[Node]:
        """The schemas of which a value takes one; the schema itself where there is no choice."""
        whole = schema if self.model_of(schema) else self.at(schema)
        return [
            inner
            for one in whole.get("oneOf", whole.get("anyOf", ()))
            if self.at(one).get("type") != "null"
            for inner in self.variants(one)
        ] or [schema]

    def _whole(self, schema: Node) -> Node:
        """The schema with what `allOf` adds to it."""
        schema = self.at(schema)
        parts = [self._whole(part) for part in schema.get("allOf", ())]
        whole: dict[str, Any] = {"properties": {}, "required": []}
        for part in [*parts, schema]:
            whole["properties"] |= part.get("properties", {})
            whole["required"] += part.get("required", [])
        return {**schema, **whole}

    def _nameless(self, path: str, schema: Node) -> tuple[str, Node | None]:
        """Where the members of the object within lie, if it has any and no section of its own."""
        [only, *others] = self.variants(schema)
        if others or self.model_of(only):
            return path, None
        whole = self.at(only)
        if "items" in whole:
            return self._nameless(f"{path}[]", whole["items"])
        return path, whole if "properties" in whole else None

    def _pieces(self, schema: Node) -> Iterator[Piece]:
        name = self.model_of(schema)
        if name:
            yield Piece(name, name)
            return
        schema = self.at(schema)
        choices = schema.get("anyOf") or schema.get("oneOf")
        if choices:
            yield from _joined((self._pieces(choice) for choice in choices), " or ")
        elif "allOf" in schema and "properties" not in schema:
            yield from _joined((self._pieces(part) for part in schema["allOf"]), " and ")
        else:
            kinds = schema.get("type", _kind_of(schema))
            kinds = [kinds] if isinstance(kinds, str) else kinds
            yield from _joined((self._of_kind(kind, schema) for kind in kinds), " or ")

    def _of_kind(self, kind: str, schema: Node) -> Iterator[Piece]:
        if kind == "array" and "items" in schema:
            yield Piece("array of ")
            yield from self._pieces(schema["items"])
        elif kind == "object" and (values := _values_of(schema)):
            yield Piece("map of text to ")
            yield from self._pieces(values)
        elif kind == "string" and "format" in schema:
            yield Piece(f"string, {schema['format']}")
        else:
            yield Piece(kind)

    def _rules(self, schema: Node) -> Iterator[Rule]:
        if self.model_of(schema):
            return
        schema = self.at(schema)
        yield from _limits(schema)
        for inner in self.variants(schema):
            if inner is not schema and not self.model_of(inner):
                yield from self._rules(inner)
        if isinstance(schema.get("items"), Mapping):
            yield from self._rules_of_items(schema["items"])
        if "default" in schema:
            yield Rule("default", (_json(schema["default"]),))

    def _rules_of_items(self, items: Node) -> Iterator[Rule]:
        for rule in self._rules(items):
            yield Rule(f"each {rule.label}", rule.values)

    def _first(self, schema: Node, name: str) -> str:
        """What the schema says of itself, or else the one that it may be besides null."""
        if self.model_of(schema):  # its own section says what it is
            return str(schema.get(name, ""))
        whole = self.at(schema)
        if name in whole:
            return str(whole[name])
        [inner, *others] = self.variants(whole)
        return "" if others or inner is whole else self._first(inner, name)


def _is_model(schema: Node) -> bool:
    choices = [*schema.get("oneOf", ()), *schema.get("anyOf", ())]
    return "properties" in schema or "allOf" in schema or any("$ref" in one for one in choices)


def _kind_of(schema: Node) -> str:
    for value in (schema.get("const"), *schema.get("enum", ())):
        kinds = {str: "string", bool: "boolean", int: "integer", float: "number"}
        if type(value) in kinds:
            return kinds[type(value)]
    return "object" if "properties" in schema else "any value"


def _values_of(schema: Node) -> Node | None:
    values = [schema.get("additionalProperties"), *schema.get("patternProperties", {}).values()]
    return next((value for value in values if value and isinstance(value, Mapping)), None)


def _limits(schema: Node) -> Iterator[Rule]:
    if "const" in schema:
        yield Rule("always", (_json(schema["const"]),))
    if "enum" in schema:
        yield Rule("one of", tuple(_json(value) for value in schema["enum"]))
    for least, most, unit in (
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " items"),
        ("minProperties", "maxProperties", " members"),
    ):
        yield from _span(schema.get(least), schema.get(most), unit)
    if "exclusiveMinimum" in schema:
        yield Rule(f"more than {_number(schema['exclusiveMinimum'])}")
    if "exclusiveMaximum" in schema:
        yield Rule(f"less than {_number(schema['exclusiveMaximum'])}")
    if "pattern" in schema:
        yield Rule("matches", (schema["pattern"],))
    for name in schema.get("patternProperties", {}):
        yield Rule("each name matches", (name,))


def _span(least: float | None, most: float | None, unit: str) -> Iterator[Rule]:
    if least is not None and most is not None:
        yield Rule(f"{_number(least)} to {_number(most)}{unit}")
    elif least is not None:
        yield Rule(f"at least {_number(least)}{unit}")
    elif most is not None:
        yield Rule(f"at most {_number(most)}{unit}")


def _number(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else str(value)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _joined(groups: Iterable[Iterable[Piece]], word: str) -> Iterator[Piece]:
    seen: list[list[Piece]] = []
    for group in groups:
        pieces = list(group)
        if pieces not in seen:
            if seen:
                yield Piece(word)
            seen.append(pieces)
            yield from pieces


def _merged(pieces: Iterable[Piece]) -> Iterator[Piece]:
    text = ""
    for piece in pieces:
        if piece.model:
            if text:
                yield Piece(text)
            yield piece
            text = ""
        else:
            text += piece.text
    if text:
        yield Piece(text)
