"""Write events/schemas and events/samples from the facts in `paynexus.events`.

    python -m tools.export_schemas             write what is new or not yet released
    python -m tools.export_schemas --check     exit 1 when a file is missing, stale or left over
    python -m tools.export_schemas --release   freeze every version as it is now

A released version is frozen by the hash of its schema in events/released.json: it can't be
written again with another content, here or by hand. What must change becomes the next version.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from paynexus.events import FACTS, schema_of

EVENTS = Path(__file__).parent.parent / "events"
RELEASED = "released.json"


def main(arguments: list[str] | None = None) -> int:
    """The files say what the code says; 1 when they don't and may not be made to."""
    parser = argparse.ArgumentParser(description="Export event schemas and samples.")
    parser.add_argument("--check", action="store_true", help="write nothing, report differences")
    parser.add_argument("--release", action="store_true", help="freeze all versions as they are")
    choice = parser.parse_args(arguments)
    schemas = {kind: schema_of(kind) for kind in FACTS}
    problems = list(broken_promises(schemas, EVENTS))
    if not problems and choice.check:
        problems = list(differences(wanted(schemas), EVENTS))
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems or choice.check:
        return 1 if problems else 0
    write(wanted(schemas), EVENTS)
    if choice.release:
        frozen = {kind: fingerprint(schema) for kind, schema in schemas.items()}
        (EVENTS / RELEASED).write_text(written(released(EVENTS) | frozen))
    return 0


def wanted(schemas: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Every generated file by its name under events/, with its text."""
    files = {f"schemas/{kind}.json": written(schema) for kind, schema in schemas.items()}
    samples = {f"samples/{kind}.json": written(fact.sample) for kind, fact in FACTS.items()}
    return files | samples


def broken_promises(schemas: Mapping[str, Mapping[str, Any]], events: Path) -> Iterator[str]:
    """What the code changed about released versions, each as a sentence naming the place."""
    for kind, frozen in sorted(released(events).items()):
        advice = f"{kind} is released and never changes; make a next version for"
        if kind not in schemas:
            yield f"{kind} is released and can't be taken back: it is gone from the code"
        elif fingerprint(schemas[kind]) != frozen:
            golden = events / "schemas" / f"{kind}.json"
            before = json.loads(golden.read_text()) if golden.exists() else {}
            if fingerprint(before) != frozen:
                yield f"{golden.name} is not what was released: restore it"
                continue
            changes = ", ".join(changed_places(_demands(before), _demands(schemas[kind])))
            yield f"{advice} {changes}"


def changed_places(before: Any, after: Any, place: str = "") -> Iterator[str]:  # noqa: ANN401 - JSON
    """Where two JSON values differ: `-place` was removed, `+place` added, `~place` changed."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted(before.keys() | after.keys()):
            inner = f"{place}/{name}"
            if name not in after:
                yield f"-{inner}"
            elif name not in before:
                yield f"+{inner}"
            else:
                yield from changed_places(before[name], after[name], inner)
    elif before != after:
        yield f"~{place}"


def differences(files: Mapping[str, str], events: Path) -> Iterator[str]:
    """Files that are missing, stale, or there without a fact."""
    present = {
        f"{path.parent.name}/{path.name}": path.read_text(encoding="utf-8")
        for folder in ("schemas", "samples")
        for path in (events / folder).glob("*.json")
    }
    for name in sorted(files.keys() | present.keys()):
        if name not in present:
            yield f"events/{name} is missing: run python -m tools.export_schemas"
        elif name not in files:
            yield f"events/{name} belongs to no fact: delete it"
        elif files[name] != present[name]:
            yield f"events/{name} is stale: run python -m tools.export_schemas"


def write(files: Mapping[str, str], events: Path) -> None:
    """Every file holds its text."""
    for name, text in files.items():
        path = events / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def released(events: Path) -> dict[str, str]:
    """The hash of each released version's schema."""
    path = events / RELEASED
    frozen: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    return frozen


def fingerprint(schema: Mapping[str, Any]) -> str:
    """The hash of what the schema demands, whatever its order and its wording."""
    text = json.dumps(_demands(schema), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _demands(value: Any) -> Any:  # noqa: ANN401 - JSON
    """`value` without titles and descriptions (a member of that name is no text, and stays)."""
    if isinstance(value, dict):
        return {
            name: _demands(inner)
            for name, inner in value.items()
            if not (name in {"title", "description"} and isinstance(inner, str))
        }
    if isinstance(value, list):
        return [_demands(inner) for inner in value]
    return value


def written(value: Mapping[str, Any]) -> str:
    """The value as it stands in a file."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(main())
