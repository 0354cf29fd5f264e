"""What we publish is what events/ promises, and what was promised stays."""

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError

from paynexus.events import FACTS, require_valid, schema_of
from tools import export_schemas

KINDS = sorted(FACTS)


def test_the_schemas_and_samples_are_current() -> None:
    """Regenerating events/ would change nothing."""
    assert export_schemas.main(["--check"]) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_each_sample_is_valid_by_the_model_and_by_its_schema(kind: str) -> None:
    """Both readers of a promise, ours and a stranger's, agree on the sample."""
    sample = json.loads((export_schemas.EVENTS / f"samples/{kind}.json").read_text())
    schema = json.loads((export_schemas.EVENTS / f"schemas/{kind}.json").read_text())

    require_valid(sample)
    jsonschema.validate(sample, schema, cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_that_lacks_or_adds_a_member_breaks_its_promise(kind: str) -> None:
    """Each member of the data is required and no other passes."""
    sample = dict(FACTS[kind].sample)
    for name in sample["data"]:
        without = {key: value for key, value in sample["data"].items() if key != name}
        with pytest.raises(ValidationError):
            require_valid(sample | {"data": without})
    with pytest.raises(ValidationError):
        require_valid(sample | {"data": sample["data"] | {"unheard_of": 1}})


def test_each_topic_and_each_version_is_named_as_the_design_names_it() -> None:
    """Types are past-tense facts with a version, on one of five topics."""
    topics = {"payments.events", "ledger.changes", "settlements.events", "fraud.alerts"}
    topics |= {"gateways.events"}

    assert {fact.topic for fact in FACTS.values()} == topics
    assert all(kind.count(".") == 2 and kind.rsplit(".v", 1)[1].isdigit() for kind in KINDS)


@pytest.fixture(name="released_events")
def _released_events(tmp_path: Path) -> Path:
    """An events/ folder in which every version is released as the code has it."""
    schemas = {kind: schema_of(kind) for kind in FACTS}
    export_schemas.write(export_schemas.wanted(schemas), tmp_path)
    frozen = {kind: export_schemas.fingerprint(schema) for kind, schema in schemas.items()}
    (tmp_path / "released.json").write_text(json.dumps(frozen))
    return tmp_path


def _changed(kind: str, change: str) -> dict[str, dict[str, Any]]:
    schemas = {name: copy.deepcopy(schema_of(name)) for name in FACTS}
    data = schemas[kind]["$defs"]["PaymentData"]
    match change:
        case "removed":
            del data["properties"]["reference"]
            data["required"].remove("reference")
        case "added":
            data["properties"]["colour"] = {"type": "string"}
        case "retyped":
            data["properties"]["reference"] = {"type": "integer"}
        case "reworded":
            data["description"] = "A payment, in better words."
        case "withdrawn":
            del schemas[kind]
    return schemas


def test_wording_may_be_improved_after_a_release(released_events: Path) -> None:
    """A description is no demand."""
    schemas = _changed("payment.completed.v1", "reworded")

    assert list(export_schemas.broken_promises(schemas, released_events)) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("removed", "-/$defs/PaymentData/properties/reference"),
        ("added", "+/$defs/PaymentData/properties/colour"),
        ("retyped", "/$defs/PaymentData/properties/reference"),
        ("withdrawn", "gone from the code"),
    ],
)
def test_a_released_version_never_changes(released_events: Path, change: str, named: str) -> None:
    """A field removed, added or retyped is caught and named, and so is a version taken back."""
    kind = "payment.completed.v1"

    problems = list(export_schemas.broken_promises(_changed(kind, change), released_events))

    assert [problem for problem in problems if kind in problem and named in problem]
    assert len(problems) == 1


def test_a_released_schema_that_was_edited_by_hand_is_caught(released_events: Path) -> None:
    """The golden file alone can't be changed to suit a changed model."""
    kind = "payment.completed.v1"
    schemas = _changed(kind, "removed")
    (released_events / f"schemas/{kind}.json").write_text(json.dumps(schemas[kind]))

    (problem,) = export_schemas.broken_promises(schemas, released_events)

    assert "restore it" in problem
