"""The command that verifies: what it prints, its exit status, and every byte that it minds."""

import datetime as dt
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paynexus import runtime
from paynexus.db import Database
from paynexus.ledger.seals import service
from tests.integration.sealing import Kms, book_a_day, cloned, move_into_the_past, signer
from tools.local_stack import postgres
from tools.verify_ledger import __main__ as command
from tools.verify_ledger import check, export, keys

pytestmark = pytest.mark.proof

type Run = Callable[..., int]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command with these arguments; its exit status."""

    def main(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["verify_ledger", *map(str, arguments)])
        return command.main()

    return main


@pytest.fixture(scope="module")
def archive(postgres_server: postgres.Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`books`, an export of two sealed days, and `key.pem`, the key that is pinned."""
    folder, kms = tmp_path_factory.mktemp("archive"), Kms()
    now = dt.datetime.now(dt.UTC)  # noqa: TID251 - the tests' edge
    with cloned(postgres_server) as url:
        db = Database(lambda: url)
        booked = book_a_day(db)
        with db.transaction() as tx:
            move_into_the_past(tx, booked, dt.timedelta(days=1))
        service.seal(db, signer(kms), now=now)
        db.close()
        since = (now - dt.timedelta(days=2)).date()
        export.export(url, since=since, until=now.date(), out=folder / "books")
    (folder / "key.pem").write_bytes(kms.pem())
    return folder


@pytest.fixture
def exported(archive: Path, tmp_path: Path) -> Path:
    """The export, this test's own copy; the key lies in `tmp_path`."""
    shutil.copytree(archive, tmp_path, dirs_exist_ok=True)
    return tmp_path / "books"


def test_clean_books(
    run: Run, exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 0, what was covered, the key's fingerprint and the head to be noted."""
    status = run("check", exported, "--public-key", tmp_path / "key.pem")

    printed = capsys.readouterr().out
    pinned = keys.read([tmp_path / "key.pem"])
    report = check.check(exported, pinned)
    assert status == 0
    assert f"key     {pinned.fingerprints[0].hex()}" in printed
    assert f"head    {report.head.hex()}" in printed
    assert "entries 12\n" in printed
    assert printed.endswith("the books are what was sealed\n")
    assert (
        run(*("check", exported, "--public-key", tmp_path / "key.pem", "--head", report.head.hex()))
        == 0
    )


def test_checking_needs_neither_database_nor_aws(exported: Path, tmp_path: Path) -> None:
    """Without their drivers, in a process of its own."""
    program = (
        "import runpy, sys; sys.modules.update(psycopg=None, boto3=None);"
        " runpy.run_module('tools.verify_ledger', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "check", exported, "--public-key", tmp_path / "key.pem"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )

    assert (done.returncode, done.stderr) == (0, "")


_AMOUNT = b'"amount":175'


def test_altered_books(
    run: Run, exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 1; the first altered entry is named first."""
    [path] = [path for path in sorted(exported.rglob("*.jsonl")) if _AMOUNT in path.read_bytes()]
    path.write_bytes(path.read_bytes().replace(_AMOUNT, b'"amount":975'))

    status = run("check", exported, "--public-key", tmp_path / "key.pem")

    wrong = [line for line in capsys.readouterr().out.splitlines() if line.startswith("WRONG")]
    assert status == 1
    assert len(wrong) == 2
    assert wrong[0].endswith("altered since it was sealed (contradicts its transfer in delta)")


def test_another_key(run: Run, exported: Path, tmp_path: Path) -> None:
    """Seals of a key that the verifier has not pinned prove nothing."""
    (tmp_path / "other.pem").write_bytes(Kms().pem())

    assert run("check", exported, "--public-key", tmp_path / "other.pem") == 1


def test_late_seals_are_pointed_out(
    run: Run, exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Books that were sealed a day and more after the fact may have been others before."""
    report = check.check(exported, keys.read([tmp_path / "key.pem"]))
    run("check", exported, "--public-key", tmp_path / "key.pem")

    assert ("note" in capsys.readouterr().out) == bool(report.late)


@pytest.mark.parametrize("case", ["no export", "no seals", "no entries", "no key", "not a seal"])
def test_what_can_not_be_checked(run: Run, exported: Path, tmp_path: Path, case: str) -> None:
    """Exit status 2: neither well nor wrong."""
    folder, key = exported, tmp_path / "key.pem"
    if case == "no export":
        folder = tmp_path / "nowhere"
    elif case == "no seals":
        (exported / "seals.jsonl").write_text("")
    elif case == "no entries":
        next(exported.rglob("seal-1.jsonl")).unlink()
    elif case == "no key":
        key.write_text("-----BEGIN PUBLIC KEY-----")
    else:
        (exported / "seals.jsonl").write_text('{"statement": "number 1", "signature": ""}\n')

    assert run("check", folder, "--public-key", key) == 2


def test_nothing_to_export(run: Run, database_url: str, tmp_path: Path) -> None:
    """Exit status 2 where nothing is sealed."""
    days = ("--from", "2020-01-01", "--to", "2020-01-31")

    assert run("export", "--database-url", database_url, *days, "--out", tmp_path / "none") == 2


def test_the_key_that_kms_has(
    run: Run, deployed: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """`key` prints what `--public-key` takes."""
    assert run("key", "--key-id", runtime.settings().ledger_key_ids) == 0
    (tmp_path / "key.pem").write_text(capsys.readouterr().out)

    pinned = keys.read([tmp_path / "key.pem"])
    assert pinned.fingerprints == runtime.ledger_signer().keys.fingerprints


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_every_byte_counts(exported: Path, tmp_path: Path, data: st.DataObject) -> None:
    """Whichever byte of an entry or of a statement is another one: it is found."""
    copy = tmp_path / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(exported, copy)
    paths = [path for path in sorted(copy.rglob("*.jsonl")) if path.stat().st_size]
    path = data.draw(st.sampled_from(paths))
    content = bytearray(path.read_bytes())
    end = content.index(b"signature") if path.name == "seals.jsonl" else len(content)
    content[data.draw(st.integers(0, end - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)

    try:
        findings = check.check(copy, keys.read([tmp_path / "key.pem"])).findings
    except check.CanNotCheck:
        return
    assert findings
