"""What a reader wants to know of each operation, in the order of the page."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tools.export_reference.schemas import Field, Node, Piece, Schemas

METHODS = ("get", "post", "put", "patch", "delete")
KEY = "Idempotency-Key"
FORM = "application/x-www-form-urlencoded"
TITLES = {"qr-codes": "QR codes"}
"""Tags that don't read well as they stand."""


@dataclass(frozen=True, slots=True)
class Example:
    """A body as it may be; `anchor` is where one that many operations share is shown."""

    title: str
    text: str
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class Body:
    """What is sent or answered in one media type; `model` has a section of its own."""

    media_type: str
    type: tuple[Piece, ...]
    model: str
    fields: list[Field]
    examples: list[Example]


@dataclass(frozen=True, slots=True)
class Answer:
    """One status, or every other."""

    status: str
    description: str
    bodies: list[Body]
    headers: list[Field]


@dataclass(frozen=True, slots=True)
class Access:
    """What a request needs to be let in: one of these."""

    scheme: str
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    anchor: str
    method: str
    path: str
    summary: str
    description: str
    access: list[Access]
    parameters: list[Field]
    bodies: list[Body]
    is_body_required: bool
    answers: list[Answer]
    command: str

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes that a token needs."""
        return tuple(scope for one in self.access for scope in one.scopes)


@dataclass(frozen=True, slots=True)
class Group:
    """The operations of one tag."""

    anchor: str
    title: str
    description: str
    operations: list[Operation]


def groups_of(document: Node) -> list[Group]:
    """The operations by their first tag: tags in the document's order, then the others."""
    schemas = Schemas(document)
    found: dict[str, list[Operation]] = {tag["name"]: [] for tag in document.get("tags", ())}
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                given = {"security": document.get("security", []), **item[method]}
                [tag, *_] = given.get("tags") or ["other"]
                operation = _operation(schemas, method, path, item, given)
                found.setdefault(tag, []).append(operation)
    said = {tag["name"]: tag.get("description", "") for tag in document.get("tags", ())}
    return [
        Group(f"tag-{_slug(tag)}", _title(tag), said.get(tag, ""), operations)
        for tag, operations in found.items()
        if operations
    ]


def body_of(schemas: Schemas, media_type: str, content: Node) -> Body:
    """What the content of one media type says."""
    schema = content.get("schema", {})
    whole = schemas.at(schema)
    return Body(
        media_type,
        schemas.type_of(schema) if schema else (),
        schemas.model_of(schema),
        schemas.fields(schema),
        list(_examples(schemas, content, whole)),
    )


def shared_examples(document: Node) -> list[Example]:
    """The examples that operations refer to, each shown once."""
    schemas, place = Schemas(document), "components/examples"
    names = document.get("components", {}).get("examples", {})
    return [_example(schemas, name, {"$ref": f"#/{place}/{name}"}) for name in names]


def examples_of(schema: Node) -> list[Example]:
    """The examples that the schema itself has."""
    return list(_own_examples(schema))


def _operation(schemas: Schemas, method: str, path: str, item: Node, given: Node) -> Operation:
    parameters = [
        schemas.at(one) for one in [*item.get("parameters", ()), *given.get("parameters", ())]
    ]
    request = schemas.at(given.get("requestBody", {}))
    bodies = _bodies(schemas, request)
    access = [
        Access(scheme, tuple(scopes)) for one in given["security"] for scheme, scopes in one.items()
    ]
    return Operation(
        anchor=_slug(f"{method} {path}"),
        method=method.upper(),
        path=path,
        summary=given.get("summary") or given.get("operationId") or path,
        description=given.get("description", ""),
        access=access,
        parameters=[_parameter(schemas, one) for one in parameters],
        bodies=bodies,
        is_body_required=bool(request.get("required")),
        answers=[_answer(schemas, *one) for one in sorted(given["responses"].items())],
        command=_command(method, path, parameters, bodies, access),
    )


def _parameter(schemas: Schemas, given: Node) -> Field:
    schema = dict(given.get("schema", {}))
    if "description" in given:
        schema["description"] = given["description"]
    is_required = bool(given.get("required"))
    return schemas.field(given["name"], schema, is_required=is_required, place=given["in"])


def _answer(schemas: Schemas, status: str, given: Node) -> Answer:
    given = schemas.at(given)
    headers = [
        schemas.field(
            name,
            {"description": header.get("description", ""), **header.get("schema", {})},
            is_required=True,
        )
        for name, header in ((n, schemas.at(h)) for n, h in given.get("headers", {}).items())
    ]
    return Answer(status, given.get("description", ""), _bodies(schemas, given), headers)


def _bodies(schemas: Schemas, given: Node) -> list[Body]:
    return [body_of(schemas, *one) for one in given.get("content", {}).items()]


def _examples(schemas: Schemas, content: Node, schema: Node) -> Iterator[Example]:
    if "example" in content:
        yield Example("Example", _shown(content["example"]))
    elif content.get("examples"):
        for name, given in content["examples"].items():
            yield _example(schemas, name, given)
    else:
        yield from _own_examples(schema)


def _example(schemas: Schemas, name: str, given: Node) -> Example:
    whole = schemas.at(given)
    anchor = f"example-{_slug(given['$ref'].rpartition('/')[2])}" if "$ref" in given else ""
    return Example(whole.get("summary") or _title(name), _shown(whole.get("value")), anchor)


def _own_examples(schema: Node) -> Iterator[Example]:
    values = schema.get("examples", [schema["example"]] if "example" in schema else [])
    for at, value in enumerate(values, start=1):
        yield Example("Example" if len(values) == 1 else f"Example {at}", _shown(value))


def _command(
    method: str, path: str, parameters: list[Node], bodies: list[Body], access: list[Access]
) -> str:
    """The request as a curl command for a POSIX shell."""
    words = [f'curl "$API_URL{_filled(path, parameters)}"']
    if method not in ("get", "post") or (method == "post" and not bodies):
        words[0] = words[0].replace("curl ", f"curl -X {method.upper()} ")
    if any(one.scheme == "client" for one in access):
        words.append('-u "$CLIENT_ID:$CLIENT_SECRET"')
    if any(one.scheme == "token" for one in access):
        words.append('-H "Authorization: Bearer $TOKEN"')
    if any(one["name"] == KEY for one in parameters):
        words.append(f'-H "{KEY}: $KEY"')
    words += _data(bodies)
    return " \\\n  ".join(words)


def _data(bodies: list[Body]) -> Iterator[str]:
    if not bodies:
        return
    [body, *_] = bodies
    if body.media_type == FORM:
        for field in body.fields:
            if field.is_required and field.rules and field.rules[0].label == "always":
                yield f"-d {field.name}={json.loads(field.rules[0].values[0])}"
        return
    yield f'-H "Content-Type: {body.media_type}"'
    yield f"-d {shlex.quote(body.examples[0].text)}" if body.examples else "-d @request.json"


def _filled(path: str, parameters: list[Node]) -> str:
    """The path with the examples of its parameters, where there are any."""
    for one in parameters:
        if one["in"] == "path":
            examples = one.get("schema", {}).get("examples", [])
            for example in [one["example"]] if "example" in one else examples[:1]:
                path = path.replace(f"{{{one['name']}}}", str(example))
    return re.sub(r"\{(\w+)\}", lambda found: f"${found[1].upper()}", path)


def _shown(value: Any) -> str:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        return value.replace("\r\n", "\n")
    return json.dumps(value, indent=2, ensure_ascii=False)


def _title(tag: str) -> str:
    return TITLES.get(tag) or tag.replace("_", " ").capitalize()


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def scopes_of(groups: list[Group]) -> Mapping[str, list[Operation]]:
    """Each scope with the operations that it opens, in the page's order."""
    found: dict[str, list[Operation]] = {}
    for operation in (one for group in groups for one in group.operations):
        for scope in operation.scopes:
            found.setdefault(scope, []).append(operation)
    return dict(sorted(found.items()))
