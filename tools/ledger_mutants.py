"""Mutants of the ledger's SQL: each breaks one rule, and the proofs must notice.

    python -m tools.ledger_mutants              all of them
    python -m tools.ledger_mutants parts        those whose name holds the word

mutmut sees Python alone, and the ledger's rules are in Postgres. Each mutant is one changed line
of a migration, on a server of its own; the state machine, the concurrent runs and the tests of
accounts run on it until the first of them fails. Within those tests this module is a plugin.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import pytest

ROOT = Path(__file__).parent.parent
MIGRATIONS = ROOT / "infra/database/migrations"
MIGRATIONS_DIR = "MUTANT_MIGRATIONS_DIR"
PROOFS = (
    "tests/properties/test_ledger_machine.py",
    "tests/properties/test_ledger_concurrency.py",
    "tests/integration/test_ledger_accounts.py",
    "tests/integration/test_ledger_together.py",
)


@dataclass(frozen=True, slots=True)
class Mutant:
    """A rule that no longer holds, and the text that breaks it; it stands once in one file."""

    name: str
    text: str
    instead: str


MUTANTS = (
    Mutant(
        "reserved money can be spent again",
        "p_slot.credits_posted - p_slot.debits_posted - p_slot.debits_pending",
        "p_slot.credits_posted - p_slot.debits_posted",
    ),
    Mutant(
        "a final part releases only what it posts",
        "t.released := CASE WHEN t.is_final THEN p_hold.amount_left ELSE t.amount END;",
        "t.released := t.amount;",
    ),
    Mutant(
        "a part of a hold is always its last",
        "t.is_final := coalesce(p_order.is_final, TRUE);",
        "t.is_final := TRUE;",
    ),
    Mutant("one part more", "p_part.part >= parts_limit AND", "p_part.part > parts_limit AND"),
    Mutant(
        "more can be posted than is left",
        "WHEN p_part.amount > p_hold.amount_left THEN",
        "WHEN p_part.amount > p_hold.amount_left + 1 THEN",
    ),
    Mutant(
        "a hold can be posted when its time is up",
        "WHEN p_hold.expires_at <= clock_timestamp() AND p_part.state <> 'expire'",
        "WHEN p_hold.expires_at IS NULL AND p_part.state = 'expire'",
    ),
    Mutant(
        "two parts at once are counted as one",
        "WHERE transfer_id = t.pending_id AND parts = hold.parts;\n        END IF;",
        "WHERE transfer_id = t.pending_id;\n        END IF;",
    ),
    Mutant(
        "a broken chain stays booked up to its break",
        "RAISE EXCEPTION USING ERRCODE = 'PN098';",
        "answers[n] := answer; CONTINUE;",
    ),
    Mutant(
        "a transfer that failed for want of debits may succeed later",
        "'exceeds_credits', 'exceeds_debits', 'debit_account_already_closed',\n",
        "'exceeds_credits', 'debit_account_already_closed',\n",
    ),
    Mutant(
        "a known id is booked again after a refusal",
        "WHERE NOT EXISTS (SELECT FROM failed_transfers AS f WHERE f.id = t.id)\n",
        "",
    ),
    Mutant(
        "a closed account releases nothing",
        "AND (NOT closed OR is_release)",
        "AND NOT closed",
    ),
    Mutant(
        "a closed account can still be posted on",
        "AND (NOT closed OR is_release)",
        "AND (NOT closed OR is_release OR t.state = 'post')",
    ),
    Mutant(
        "a transfer is reversed twice",
        "ELSIF EXISTS (SELECT FROM transfers WHERE reverses = p_order.reverses) THEN",
        "ELSIF FALSE THEN",
    ),
    Mutant(
        "balancing looks at the other account",
        "WHERE account_id = CASE WHEN balances_debit THEN p_debit.id ELSE p_credit.id END;",
        "WHERE account_id = CASE WHEN balances_debit THEN p_credit.id ELSE p_debit.id END;",
    ),
    Mutant(
        "a balancing transfer repeated with its own amount differs",
        "WHEN p_order.balancing IS NOT NULL AND present.amount > p_order.amount",
        "WHEN p_order.balancing IS NOT NULL AND present.amount >= p_order.amount",
    ),
    Mutant(
        "another time-out goes unnoticed",
        "WHEN present.state = 'pending' AND present.expires_at IS DISTINCT FROM",
        "WHEN present.state = 'single' AND present.expires_at IS DISTINCT FROM",
    ),
    Mutant(
        "a repeated transfer leaves its mark on the credit side",
        "        PERFORM ledger_unmove(t, FALSE, p_pending, p_posted);\n",
        "",
    ),
    Mutant(
        "a running balance is the other side's",
        "-moved, credit_after, type_of_both",
        "-moved, debit_after, type_of_both",
    ),
    Mutant(
        "slots are gathered without their locks",
        "PERFORM FROM account_balances WHERE account_id = p_account.id ORDER BY slot FOR UPDATE;",
        "PERFORM FROM account_balances WHERE account_id = p_account.id ORDER BY slot;",
    ),
    Mutant(
        "a slot's sufficiency is read without its lock",
        "WHERE account_id = p_account_id AND slot = p_slot FOR UPDATE;\n    IF slack",
        "WHERE account_id = p_account_id AND slot = p_slot;\n    IF slack",
    ),
    Mutant(
        "batches lock from the other end",
        "ORDER BY b.account_id, b.slot FOR UPDATE OF b;",
        "ORDER BY b.account_id DESC, b.slot FOR UPDATE OF b;",
    ),
    Mutant(
        "legs are locked debit first",
        "is_debit BOOLEAN := t.debit_account_id < t.credit_account_id;",
        "is_debit BOOLEAN := TRUE;",
    ),
    Mutant(
        "of many orders, one that failed before is booked",
        "AND NOT EXISTS (SELECT FROM failed_transfers WHERE id = ANY(array_agg(o.id))),",
        ",",
    ),
    Mutant(
        "of many orders, a hold whose time is up is posted",
        "AND coalesce(p.hold_expires_at > clock_timestamp(), TRUE)",
        "AND TRUE",
    ),
    Mutant(
        "of many orders, one is booked on a closed account",
        "AND slot = leg.slot AND NOT closed\n        RETURNING",
        "AND slot = leg.slot\n        RETURNING",
    ),
    Mutant(
        "of many orders, one spends more than its account has",
        "= coalesce(o.debit_merchant, nil)\n"
        "            AND NOT a.debits_must_not_exceed_credits LIMIT 1",
        "= coalesce(o.debit_merchant, nil) LIMIT 1",
    ),
    Mutant(
        "of many orders, each has the balances after the last",
        "ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING",
        "ROWS BETWEEN UNBOUNDED FOLLOWING AND UNBOUNDED FOLLOWING",
    ),
)


def main(words: list[str]) -> int:
    """Each mutant meets the proofs; 0 when every one of them was noticed."""
    chosen = [one for one in MUTANTS if all(word in one.name for word in words)]
    survivors = 0
    for mutant in chosen:
        noticed_by = _try(mutant)
        survivors += noticed_by is None
        print(f"{mutant.name:60} {noticed_by or 'SURVIVED'}", flush=True)
    print(f"{len(chosen) - survivors} of {len(chosen)} noticed")
    return int(survivors > 0)


def _try(mutant: Mutant) -> str | None:
    """The first test that fails on the mutant, and how; none when all pass."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(MIGRATIONS, folder, dirs_exist_ok=True)
        _mutate(Path(folder), mutant)
        command = [sys.executable, "-m", "pytest", "-x", "-p", "tools.ledger_mutants", *PROOFS]
        environment = {**os.environ, MIGRATIONS_DIR: folder}  # noqa: TID251 - a tool's edge
        answer = subprocess.run(
            command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True
        )
    if not answer.returncode:
        return None
    failed = re.search(r"^(?:FAILED|ERROR) \S+::(.*)$", answer.stdout, re.MULTILINE)
    if not failed:
        raise RuntimeError(answer.stdout + answer.stderr)
    return failed[1][:100]


def _mutate(folder: Path, mutant: Mutant) -> None:
    holders = [path for path in folder.glob("*.sql") if mutant.text in path.read_text()]
    if len(holders) != 1 or holders[0].read_text().count(mutant.text) != 1:
        raise ValueError(f"{mutant.name!r} does not stand once in the migrations: {holders}")
    holders[0].write_text(holders[0].read_text().replace(mutant.text, mutant.instead))


# As a plugin of pytest.


def pytest_configure() -> None:
    """The first failure is enough: nobody reads its shortest form."""
    phases = [hypothesis.Phase.explicit, hypothesis.Phase.generate]
    hypothesis.settings.register_profile("mutants", phases=phases)
    hypothesis.settings.load_profile("mutants")


def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any]) -> None:
    """The tests' server is migrated with the mutant's files."""
    if fixturedef.argname == "postgres_server":
        folder = Path(os.environ[MIGRATIONS_DIR])  # noqa: TID251 - a tool's edge
        fixturedef.func.__globals__["MIGRATIONS"] = folder


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
