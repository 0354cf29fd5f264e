"""The templates as data: parsed, transformed as the cloud transforms them, looked up by kind."""

import copy
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).parents[2]
NESTED = ("infra/messaging.yaml", "infra/observability.yaml", "infra/dashboards/payments.json")

type Node = Any
"""Whatever a template may hold."""
type Resources = dict[str, dict[str, Any]]

FUNCTION = "AWS::Serverless::Function"


@cache
def _parsed(path: str) -> Node:
    return yaml_parse((ROOT / path).read_text())


def template(path: str = "template.yaml") -> Node:
    """The template at `path`; the caller may change what it gets."""
    return copy.deepcopy(_parsed(path))


def resources(kind: str, path: str = "template.yaml") -> Resources:
    """The resources of one type, by logical id."""
    return {
        name: resource
        for name, resource in template(path)["Resources"].items()
        if resource["Type"] == kind
    }


def properties(kind: str, path: str = "template.yaml") -> Resources:
    """The properties of the resources of one type, by logical id."""
    return {name: found.get("Properties", {}) for name, found in resources(kind, path).items()}


@cache
def transformed(*, gradual: str = "false") -> Node:
    """The root template after SAM's transform: plain CloudFormation, roles and all."""
    raw = template()
    # What stands on this disk has no address in the cloud yet; SAM wants one.
    raw["Globals"]["Function"]["CodeUri"] = "s3://bucket/functions"
    for resource in raw["Resources"].values():
        for name in ("ContentUri", "DefinitionUri"):
            if name in resource.get("Properties", {}):
                resource["Properties"][name] = f"s3://bucket/{name}"
    values = {"GradualDeployment": gradual}
    defaults = {name: given.get("Default") for name, given in raw["Parameters"].items()}
    policies = SimpleNamespace(load=dict)
    return transform(raw, {**defaults, **values}, policies)


def snake_case(name: str) -> str:
    """`PaymentsApi` as `payments_api`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def walk(node: Node) -> Iterator[Node]:
    """The node and all that it holds."""
    yield node
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        yield from walk(child)


def as_list(node: Node) -> list[Node]:
    """The node, in a list unless it is one."""
    return node if isinstance(node, list) else [node]
