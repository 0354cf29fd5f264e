"""The house rules that a machine can check: sizes, who may import what, the schema."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tools import dump_schema
from tools.local_stack import postgres

ROOT = Path(__file__).parents[2]
ROOMS = ROOT / "layers/paynexus/paynexus"
MODULE_LINES_LIMIT = 350
HANDLER_LINES_LIMIT = 80
FUNCTION_LINES_LIMIT = 50

DRIVERS = {"psycopg", "redis", "boto3", "botocore", "urllib3"}
PURE_NAMES = {
    "model.py",
    "rules.py",
    "allowance.py",
    "access.py",
    "bookings.py",
    "accounts.py",
    "chart.py",
    "payload.py",
    "psi.py",
    "backoff.py",
    "webhook.py",
    "circuit.py",
    "verdicts.py",
    "sandbox_callbacks.py",
    "outcomes.py",
    "money.py",
    "cards.py",
    "ids.py",
    "errors.py",
    "clock.py",
}
IMPURE = DRIVERS | {"pydantic", "aws_lambda_powertools", "requests", "socket", "os"}
POSTGRES_ROOMS = {
    "db.py": "owns the connection",
    "idempotency.py": "a room of one file: its SQL stands beside its rules",
    "runtime.py": "builds the connection's address",
    "audit.py": "reads the audit views by name",
    "reading.py": "the ledger's reads, apart from the store that books",
    "replication.py": "streams the write-ahead log, for which the driver has no call of its own",
}
"""Files besides stores that may import psycopg, and why."""


def python_files(folder: Path) -> Iterator[Path]:
    """Our own Python files below `folder`."""
    yield from (path for path in sorted(folder.rglob("*.py")) if "__pycache__" not in path.parts)


def imports_of(path: Path) -> set[str]:
    """The top-level packages that the file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("folder", ["layers/paynexus/paynexus", "functions", "tools"])
def test_modules_and_functions_are_short(folder: str) -> None:
    """A module under 350 lines, a function under 50, a handler's module under 80."""
    too_long = []
    for path in python_files(ROOT / folder):
        text = path.read_text(encoding="utf-8")
        limit = HANDLER_LINES_LIMIT if path.name == "handler.py" else MODULE_LINES_LIMIT
        if len(text.splitlines()) > limit:
            too_long.append(f"{path.relative_to(ROOT)}: {len(text.splitlines())} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and node.end_lineno:
                lines = node.end_lineno - node.lineno + 1
                if lines > FUNCTION_LINES_LIMIT:
                    too_long.append(f"{path.relative_to(ROOT)}:{node.name}: {lines} lines")

    assert too_long == []


def test_pure_files_touch_nothing_outside() -> None:
    """Words and rules import no driver, no AWS package, no pydantic."""
    impure = {
        str(path.relative_to(ROOT)): sorted(imports_of(path) & IMPURE)
        for path in python_files(ROOMS)
        if _is_pure(path) and imports_of(path) & IMPURE
    }

    assert impure == {}


def _is_pure(path: Path) -> bool:
    """By its name, or because its first lines say so."""
    said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    is_named = path.name in PURE_NAMES and path.parent.name != "store"
    return is_named or "Pure." in said


def test_sql_lives_in_stores() -> None:
    """Only stores, and the files named here with their reason, speak to Postgres' driver."""
    strays = [
        str(path.relative_to(ROOT))
        for path in python_files(ROOMS)
        if "psycopg" in imports_of(path)
        and path.name != "store.py"
        and path.parent.name != "store"
        and path.name not in POSTGRES_ROOMS
    ]

    assert strays == []


def test_only_config_reads_the_environment() -> None:
    """No other file of the product or its functions knows `os.environ`."""
    readers = [
        str(path.relative_to(ROOT))
        for folder in (ROOMS, ROOT / "functions")
        for path in python_files(folder)
        if "os" in imports_of(path) and path.name != "config.py"
    ]

    assert readers == []


def test_every_room_is_named_in_the_import_contract() -> None:
    """A new file or folder beside the rooms must find its layer first."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    contracts = tomllib.loads(text)["tool"]["importlinter"]["contracts"]
    layers = next(one for one in contracts if one.get("exhaustive"))["layers"]
    named = {room.strip() for layer in layers for room in layer.split("|")}
    present = {path.stem for path in ROOMS.iterdir() if not path.name.startswith(("_", "py."))}

    assert named == present


def test_schema_is_what_the_migrations_add_up_to(postgres_server: postgres.Server) -> None:
    """infra/database/schema.sql is current (`make generate`)."""
    url = psycopg.conninfo.make_conninfo(postgres_server.url, dbname="paynexus_template")
    with psycopg.connect(url, autocommit=True) as connection:
        current = dump_schema.described(connection)

    assert current == dump_schema.SCHEMA.read_text(encoding="utf-8")
