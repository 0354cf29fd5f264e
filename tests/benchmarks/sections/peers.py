"""Other ledgers in Python on the same server: the payment and its fee, one process each."""

import json
import subprocess
import sys
import time
import venv
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from paynexus import ids
from paynexus.db import Database
from paynexus.ids import MerchantId, TransferId
from paynexus.ledger import store as ledger
from paynexus.ledger.accounts import Account, AccountType
from paynexus.ledger.model import Order, Transfer, TransferKind
from paynexus.money import Money
from tests.benchmarks import servers, workloads
from tests.benchmarks.crew import at_work
from tests.benchmarks.figures import Unmeasured
from tests.benchmarks.rounds import Round, Rounds, in_turns
from tests.benchmarks.run import Part, Run
from tests.benchmarks.sections.lambdas import PAYMENT, Tills
from tests.benchmarks.slices import Slice, p50, rate
from tests.benchmarks.workloads import MERCHANTS

ROOT = Path(__file__).parents[3]
REQUIREMENTS = ROOT / "tests/benchmarks/peers/requirements.txt"

POSTINGS = "our ledger, payment and fee"
HORDAK = "django-hordak, payment and fee"
DJANGO_LEDGER = "django-ledger, payment and fee"
FASTER_THAN_HORDAK = "our ledger / django-hordak, one process each"
FASTER_THAN_DJANGO_LEDGER = "our ledger / django-ledger, one process each"
WANTED = "make bench PEERS=1"


def measured(run: Run) -> Iterator[Part]:
    """The same work: a payment and its fee are booked. Complete payments stand beside it."""
    title = "Payments beside ledgers in Python (one process each)"
    if run.settings.peers is None:
        yield Part(
            title,
            [],
            [
                Unmeasured(FASTER_THAN_HORDAK, "≥ 6", WANTED),
                Unmeasured(FASTER_THAN_DJANGO_LEDGER, "≥ 40", WANTED),
            ],
        )
        return
    rounds = _rounds(run, _interpreter(run.settings.peers))
    yield Part(
        title,
        [
            rounds.ratio(FASTER_THAN_HORDAK, rate, POSTINGS, HORDAK, goal=6),
            rounds.ratio(FASTER_THAN_DJANGO_LEDGER, rate, POSTINGS, DJANGO_LEDGER, goal=40),
            rounds.ratio("complete payments / django-hordak", rate, PAYMENT, HORDAK),
            rounds.ratio("complete payments / django-ledger", rate, PAYMENT, DJANGO_LEDGER),
            rounds.of(PAYMENT, rate, "/s", what="rate beside them", better="higher"),
            rounds.of(POSTINGS, rate, "/s", what="rate", better="higher"),
            rounds.of(HORDAK, rate, "/s", what="rate", better="higher"),
            rounds.of(DJANGO_LEDGER, rate, "/s", what="rate", better="higher"),
            rounds.of(HORDAK, p50, "ms", what="p50"),
            rounds.of(DJANGO_LEDGER, p50, "ms", what="p50"),
        ],
    )


def _rounds(run: Run, python: Path) -> Rounds:
    server = run.servers.postgres
    ours = replace(run.servers, payments_url=server.migrated("beside_peers"))
    hordak, django_ledger = server.database("hordak"), server.database("django_ledger")
    with closing(Database(lambda: ours.payments_url)) as database:
        merchants = workloads.onboard(database, MERCHANTS)
    with at_work(ours, clients=1) as crew:
        tills = Tills(ours, crew)
        rounds = in_turns(
            [
                lambda seconds: tills.complete(PAYMENT, merchants, seconds, clients=1),
                lambda seconds: {POSTINGS: _postings(ours.payments_url, merchants, seconds)},
                lambda seconds: _turn(HORDAK, python, "hordak_payments", hordak, seconds),
                lambda seconds: _turn(
                    DJANGO_LEDGER, python, "django_ledger_payments", django_ledger, seconds
                ),
            ],
            number=run.settings.rounds,
            seconds=run.settings.seconds,
            settle=lambda: servers.settle(ours.payments_url, hordak, django_ledger),
        )
    run.audit(ours.payments_url)
    return rounds


def _postings(url: str, merchants: Sequence[MerchantId], seconds: float) -> Slice:
    """What the peers do, with our ledger: both postings, in one call that is a commit."""
    latencies: list[float] = []
    with closing(Database(lambda: url)) as database:
        end = time.perf_counter() + seconds
        while (before := time.perf_counter()) < end:
            orders = _orders(merchants[len(latencies) % len(merchants)])
            for result in ledger.transfers(database.connection(), orders, with_balances=False):
                result.require_booked()
            latencies.append(time.perf_counter() - before)
    return Slice(latencies=latencies, seconds=sum(latencies))


def _orders(merchant_id: MerchantId) -> list[Order]:
    payable = Account(AccountType.MERCHANT_PAYABLE, "test", "EUR", merchant_id)
    receivable, fees = (
        Account(kind, "test", "EUR") for kind in (AccountType.GATEWAY_RECEIVABLE, AccountType.FEES)
    )
    return [
        Order.single(
            Transfer(TransferId(ids.new_id()), kind, debit, credit, Money(amount, "EUR"), "bench")
        )
        for kind, debit, credit, amount in (
            (TransferKind.PAYMENT, receivable, payable, 1999),
            (TransferKind.FEE, payable, fees, 55),
        )
    ]


def _turn(kind: str, python: Path, program: str, url: str, seconds: float) -> Round:
    command = [str(python), "-m", f"tests.benchmarks.peers.{program}", url, str(seconds)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    latencies: list[float] = json.loads(done.stdout)
    return {kind: Slice(latencies=latencies, seconds=sum(latencies))}


def _interpreter(environment: Path) -> Path:
    """The environment holds what is pinned; one that does already is kept."""
    python = environment / "bin" / "python"
    installed = environment / "installed.txt"
    pins = REQUIREMENTS.read_text()
    if installed.exists() and installed.read_text() == pins:
        return python
    sys.stdout.write(f"Installing django-hordak and django-ledger into {environment}\n")
    venv.create(environment, with_pip=True, clear=True)
    command = [python, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", REQUIREMENTS]
    subprocess.run([str(word) for word in command], check=True)
    installed.write_text(pins)
    return python
