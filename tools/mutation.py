"""Mutation tests of money, the ledger and the pure rules: what no test would notice if wrong.

    python -m tools.mutation                     all that pyproject.toml names, [tool.mutmut]
    python -m tools.mutation 'paynexus.money*'   the mutants that match

It works on a copy in .local-mutation, laid out as mutmut wants it; prints each mutant that
lives and a table; and fails when fewer are killed than docs/mutation-testing.md promises.
Within the tests of the copy this module is a plugin, so that a mutant costs no new server.
"""

import ast
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import hypothesis
import psycopg
import pytest
from _pytest.fixtures import SubRequest

from paynexus import db
from tools.local_stack import postgres

ROOT = Path(__file__).parent.parent
COPY = ROOT / ".local-mutation"
COPIED = ("tests", "tools", "infra", "events", "functions", "docs", "layers", "template.yaml")
MIGRATIONS = ROOT / "infra/database/migrations"
TEMPLATE = "paynexus_template"
STATE_DIR = "MUTATION_STATE_DIR"
KILLED_PERCENT = 85
KILLED, SURVIVED, UNTESTED = {1, 3}, {0}, {5, 33}
"""What the tests' process ends with under a mutant; any other end was a time-out."""


def main(patterns: list[str]) -> int:
    """The mutants are tested, those that live are shown; 0 when enough of them died."""
    _copy()
    server = postgres.start(COPY / "server")
    try:
        _prepare(server)
        _mutmut("run", "--max-children", "1", *patterns)
        fates = _fates()
        for name in sorted(name for name, fate in fates.items() if fate == "survived"):
            _mutmut("show", name)
    finally:
        server.stop()
    return _report(fates)


def _copy() -> None:
    """A fresh copy: `src/paynexus` is the product, the rest stands where it stood."""
    shutil.rmtree(COPY, ignore_errors=True)
    leave = shutil.ignore_patterns("__pycache__", ".local*")
    shutil.copytree(ROOT / "layers/paynexus/paynexus", COPY / "src/paynexus", ignore=leave)
    for path in (COPY / "src").rglob("*.py"):
        path.write_text(_undecorated(path.read_text()))
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, COPY / name, ignore=leave)
        else:
            shutil.copy2(source, COPY / name)
    shutil.copy2(ROOT / "pyproject.toml", COPY)


def _undecorated(source: str) -> str:
    """The same module, its dataclasses made by a call: mutmut leaves decorated classes alone."""
    lines = source.splitlines()
    for node in reversed(ast.parse(source).body):
        if not isinstance(node, ast.ClassDef) or len(node.decorator_list) != 1:
            continue
        [decorator] = node.decorator_list
        call = ast.unparse(decorator)
        if call.startswith("dataclass("):
            lines.insert(node.end_lineno or 0, f"{node.name} = {call}({node.name})")
            del lines[decorator.lineno - 1 : decorator.end_lineno]
    return "\n".join(lines) + "\n"


def _prepare(server: postgres.Server) -> None:
    """The server has the migrated template that tests clone, and loses no time on safety."""
    with psycopg.connect(server.url, autocommit=True) as admin:
        admin.execute("ALTER SYSTEM SET fsync = off")
        admin.execute("SELECT pg_reload_conf()")
        admin.execute(f"CREATE DATABASE {TEMPLATE}")
    url = psycopg.conninfo.make_conninfo(server.url, dbname=TEMPLATE)
    with psycopg.connect(url, autocommit=True) as connection:
        db.migrate(connection, MIGRATIONS)


def _mutmut(*arguments: str) -> None:
    command = [str(Path(sys.executable).with_name("mutmut")), *arguments]
    environment = {**os.environ, STATE_DIR: str(COPY / "server")}  # noqa: TID251 - a tool's edge
    subprocess.run(command, cwd=COPY, check=True, env=environment)


def _fates() -> dict[str, str]:
    fates = {}
    for path in (COPY / "mutants/src").rglob("*.meta"):
        for name, code in json.loads(path.read_text())["exit_code_by_key"].items():
            fates[name] = _fate(code)
    return fates


def _fate(code: int | None) -> str:
    if code is None:
        return "not run"
    if code in SURVIVED:
        return "survived"
    return "killed" if code in KILLED else "untested" if code in UNTESTED else "timed out"


def _report(fates: dict[str, str]) -> int:
    by_module: dict[str, Counter[str]] = {}
    for name, fate in fates.items():
        by_module.setdefault(name.split(".x")[0], Counter())[fate] += 1
    for module, counts in sorted(by_module.items()):
        print(_line(module, counts))
    total = sum(by_module.values(), Counter[str]())
    print(_line("all", total))
    return int(_percent(total) < KILLED_PERCENT)


def _line(name: str, counts: Counter[str]) -> str:
    others = ", ".join(f"{count} {fate}" for fate, count in sorted(counts.items()))
    return f"{name:40} {_percent(counts):5.1f} %  ({others})"


def _percent(counts: Counter[str]) -> float:
    run = counts.total() - counts["not run"]
    return 100 * (counts["killed"] + counts["timed out"]) / run if run else 100.0


# As a plugin of pytest, in the copy.


def pytest_configure() -> None:
    """Property tests draw the same for every mutant, and their speed is nobody's concern."""
    hypothesis.settings.register_profile(
        "mutation",
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    hypothesis.settings.load_profile("mutation")


def pytest_itemcollected(item: pytest.Item) -> None:
    """The item has the name that mutmut 3.7 knows it by, which pytest 9 keeps elsewhere."""
    vars(item)["_nodeid"] = item.nodeid


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: SubRequest
) -> postgres.Server | None:
    """The tests' server is the one that runs for all mutants; nobody stops it."""
    if fixturedef.argname != "postgres_server":
        return None
    server = postgres.start(Path(os.environ[STATE_DIR]))  # noqa: TID251 - a tool's edge
    fixturedef.cached_result = (server, fixturedef.cache_key(request), None)
    return server


def pytest_sessionfinish() -> None:
    """No child of a test is left to be waited for: mutmut would take it for a mutant's tests."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
