"""docs/openapi.json keeps every rule of .spectral.yaml, and the rules catch what breaks them."""

import copy
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs/openapi.json"
PACKAGE = ROOT / "tests/spectral/package.json"
INSTALL_SECONDS = 300

type Document = dict[str, Any]


@pytest.fixture(scope="module")
def spectral(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Spectral's program, as pinned in tests/spectral, from npm."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed: Spectral comes from there")
    target = tmp_path_factory.mktemp("spectral")
    shutil.copy(PACKAGE, target)
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock"]
    try:
        done = subprocess.run(
            ["npm", "install", *options],
            cwd=target,
            capture_output=True,
            check=False,
            timeout=INSTALL_SECONDS,
        )
    except subprocess.TimeoutExpired:
        pytest.skip("npm's registry does not answer: Spectral comes from there")
    if done.returncode:
        if b"ENOTFOUND" in done.stderr or b"ECONNREFUSED" in done.stderr:
            pytest.skip("npm's registry can't be reached: Spectral comes from there")
        pytest.fail(done.stderr.decode())
    return target / "node_modules/.bin/spectral"


@pytest.fixture(scope="module")
def document() -> Document:
    """The document as it is kept."""
    found: Document = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    return found


def test_the_document_keeps_every_rule(spectral: Path) -> None:
    """No error, no warning, no hint."""
    assert _broken(spectral, DOCUMENT) == []


def _payment(document: Document) -> Document:
    operation: Document = document["paths"]["/payments"]["post"]
    return operation


def _members(document: Document) -> Document:
    members: Document = document["components"]["schemas"]["PaymentOrder"]["properties"]
    return members


def _without_key(document: Document) -> None:
    _payment(document)["parameters"] = []


def _plain_refusal(document: Document) -> None:
    answer = _payment(document)["responses"]["400"]
    answer["content"] = {"application/json": {"schema": {"type": "object"}}}


FAULTS: dict[str, Callable[[Document], object]] = {
    "operation-summary": lambda it: _payment(it).pop("summary"),
    "operation-description": lambda it: _payment(it).pop("description"),
    "operation-tags": lambda it: _payment(it).update(tags=[]),
    "operation-tag-defined": lambda it: _payment(it).update(tags=["unheard-of"]),
    "operation-operationId": lambda it: _payment(it).pop("operationId"),
    "operation-id-is-snake-case": lambda it: _payment(it).update(operationId="takePayment"),
    "operation-says-its-security": lambda it: _payment(it).pop("security"),
    "post-that-acts-has-a-key": _without_key,
    "refusals-are-problems": _plain_refusal,
    "amounts-are-integers": lambda it: _members(it)["amount"].update(type="number"),
    "members-are-snake-case": lambda it: _members(it).update(newField={"type": "string"}),
}
"""By the rule that has to notice it."""


def test_each_rule_catches_its_fault(spectral: Path, document: Document, tmp_path: Path) -> None:
    """A document with one fault breaks the rule that stands against it, as an error."""
    paths = {}
    for rule, spoil in FAULTS.items():
        spoilt = copy.deepcopy(document)
        spoil(spoilt)
        paths[rule] = tmp_path / f"{rule}.json"
        paths[rule].write_text(json.dumps(spoilt), encoding="utf-8")

    found = _broken(spectral, *paths.values())

    for rule, path in paths.items():
        assert (rule, path.name) in found


def _broken(spectral: Path, *documents: Path) -> list[tuple[str, str]]:
    """Each rule that is broken, with the name of the document that breaks it."""
    rules = ROOT / ".spectral.yaml"
    done = subprocess.run(
        [str(spectral), "lint", *map(str, documents), "-r", str(rules), "-f", "json", "-q"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return [(one["code"], Path(one["source"]).name) for one in json.loads(done.stdout or "[]")]
