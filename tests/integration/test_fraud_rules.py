"""Rules on a real Postgres: versions, shadows, snoozes, what is read anew, what is counted."""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.types.json import Jsonb

from paynexus import idempotency, ids, jsontext
from paynexus.db import Database
from paynexus.errors import DatabaseUnavailable, InvalidRequest, InvalidRule, InvalidState, NotFound
from paynexus.fraud.model import Action, EntityKind, entity
from paynexus.fraud.rulebook import service, snoozing
from paynexus.fraud.rulebook import store as rulebook
from paynexus.fraud.rulebook.book import Books
from paynexus.fraud.rulebook.model import (
    RULES_MAX,
    SNOOZE_MAX,
    Rule,
    State,
    Statistics,
    Version,
    Wording,
)
from paynexus.fraud.rulebook.service import FOLD_LAG, Change
from paynexus.fraud.rulebook.snoozing import Entity
from paynexus.fraud.rulebook.views import (
    rule_resource,
    snooze_resource,
    statistics_resource,
)
from paynexus.ids import MerchantId, PaymentId
from paynexus.lists.model import Page

LARGE = Wording("amount > 10000", Action.CHALLENGE, "The amount is large.")
PLATFORM = ["amount_above_block_limit", "amount_above_challenge_limit", "too_many_payments"]
DAY = dt.timedelta(days=1)


@pytest.fixture
def by(merchant: MerchantId, now: dt.datetime) -> Change:
    """The merchant's own hand."""
    return Change(merchant, "client", now)


@pytest.fixture
def other(database: Database) -> MerchantId:
    """A stranger."""
    merchant_id = MerchantId(ids.new_id())
    with database.transaction() as tx:
        tx.execute("INSERT INTO merchants (id, name) VALUES (%s, 'Other')", (merchant_id,))
    return merchant_id


def rule_id(rule: Rule) -> str:
    """As the API names it."""
    return ids.text("frl", rule.id)


def version_id(version: Version) -> str:
    """As the API and decisions name it."""
    return ids.text("frv", version.id)


def created(database: Database, by: Change, code: str = "large", said: Wording = LARGE) -> Rule:
    """A new rule of the scope."""
    with database.transaction() as tx:
        return service.create_rule(tx, code, said, by=by)


def activated(database: Database, rule: Rule, by: Change) -> Rule:
    """The rule, its newest version deciding, as the gate leaves it."""
    with database.transaction() as tx:
        service.activate(tx, rule.newest.id, author="gate", now=by.now)
    return service.find(database, rule_id(rule), owner=by.owner)


def running(database: Database, merchant_id: MerchantId) -> list[tuple[str, str, bool]]:
    """The merchant's own rules that run: code, expression, whether in shadow."""
    with database.reading() as connection:
        return [
            (rule.code, rule.wording.expression, rule.is_shadow)
            for rule in rulebook.load(connection, merchant_id)
            if not rule.is_platform
        ]


def revisions(database: Database, merchant_id: MerchantId) -> tuple[int, int]:
    """The platform's, and the merchant's."""
    with database.reading() as connection:
        rows = dict(connection.execute("SELECT merchant_id, revision FROM fraud_revisions"))
    return rows.get(None, 0), rows.get(merchant_id, 0)


def test_the_three_fixed_checks_are_rules_of_the_platform(
    database: Database, merchant: MerchantId
) -> None:
    """With the codes they always had, and exactly one word on each amount."""
    with database.reading() as connection:
        rules = rulebook.load(connection, merchant)
    book = Books().book(merchant, 0, lambda: rules)
    limits = {"challenge_above": 50_000, "block_above": 1_000_000, "max_payments_per_hour": 10}

    def said(amount: int, card_count_1h: int) -> list[tuple[str, str]]:
        values = {"amount": amount, "card_count_1h": card_count_1h, **limits}
        evaluated = book.evaluate(values)
        assert evaluated.errors == ()
        return [(hit.code, hit.action) for hit in evaluated.hits]

    assert [rule.code for rule in rules] == PLATFORM
    assert all(rule.is_platform and not rule.is_shadow for rule in rules)
    assert said(50_000, 10) == []
    assert said(50_001, 10) == [("amount_above_challenge_limit", "challenge")]
    assert said(1_000_000, 10) == [("amount_above_challenge_limit", "challenge")]
    assert said(1_000_001, 11) == [
        ("amount_above_block_limit", "block"),
        ("too_many_payments", "challenge"),
    ]


def test_a_rule_is_a_draft_until_a_version_runs(
    database: Database, merchant: MerchantId, by: Change
) -> None:
    """And its state follows what runs."""
    rule = created(database, by)
    assert (rule.state, rule.newest.number, rule.live, rule.shadow) == (State.DRAFT, 1, None, None)
    assert running(database, merchant) == []

    with database.transaction() as tx:
        shadowed = service.run_in_shadow(tx, rule_id(rule), version_id(rule.newest), by=by)
    assert (shadowed.state, shadowed.shadow) == (State.SHADOW, rule.newest)
    assert running(database, merchant) == [("large", "amount > 10000", True)]

    active = activated(database, rule, by)
    assert (active.state, active.live, active.shadow) == (State.ACTIVE, rule.newest, None)
    assert running(database, merchant) == [("large", "amount > 10000", False)]

    with database.transaction() as tx:
        assert service.disable(tx, rule_id(rule), by=by).state is State.DISABLED
    assert running(database, merchant) == []


def test_a_new_version_runs_in_shadow_beside_the_one_that_decides(
    database: Database, merchant: MerchantId, by: Change
) -> None:
    """Until it is activated, and the former can be gone back to."""
    rule = activated(database, created(database, by), by)
    with database.transaction() as tx:
        reworded = service.add_version(
            tx, rule_id(rule), replace(LARGE, expression="amount > 20000"), by=by
        )
        service.run_in_shadow(tx, rule_id(rule), version_id(reworded.newest), by=by)
    assert reworded.newest.number == 2
    assert running(database, merchant) == [
        ("large", "amount > 10000", False),
        ("large", "amount > 20000", True),
    ]

    with database.transaction() as tx:
        former = service.activate(tx, reworded.newest.id, author="gate", now=by.now)
    assert former == rule.newest.id
    assert running(database, merchant) == [("large", "amount > 20000", False)]

    with database.transaction() as tx:
        assert service.activate(tx, former, author="gate", now=by.now) == reworded.newest.id
        assert service.activate(tx, former, author="gate", now=by.now) == former
    assert running(database, merchant) == [("large", "amount > 10000", False)]
    numbers = [one.number for one in service.versions_of(database, rule_id(rule), owner=merchant)]
    assert numbers == [2, 1]


def test_another_shadow_takes_the_place_of_the_first(
    database: Database, merchant: MerchantId, by: Change
) -> None:
    """One at a time, and none on request; a version that decides can't be its own shadow."""
    rule = activated(database, created(database, by), by)
    with database.transaction() as tx:
        for expression in ("amount > 1", "amount > 2"):
            newer = service.add_version(
                tx, rule_id(rule), replace(LARGE, expression=expression), by=by
            )
            shadowed = service.run_in_shadow(tx, rule_id(rule), version_id(newer.newest), by=by)
    assert shadowed.shadow == newer.newest
    assert running(database, merchant)[1:] == [("large", "amount > 2", True)]

    with database.transaction() as tx, pytest.raises(InvalidState, match="decides already"):
        service.run_in_shadow(tx, rule_id(rule), version_id(rule.newest), by=by)
    with database.transaction() as tx:
        assert service.stop_shadow(tx, rule_id(rule), by=by).state is State.ACTIVE
    assert running(database, merchant) == [("large", "amount > 10000", False)]


def test_each_change_is_another_revision_of_its_scope_alone(
    database: Database, merchant: MerchantId, by: Change
) -> None:
    """So whoever holds the rules reads them anew; one that is refused changes nothing."""
    rule = created(database, by)
    seen = [revisions(database, merchant)]
    first = version_id(rule.newest)

    def changed(change: Callable[[psycopg.Connection[Any]], object]) -> None:
        with database.transaction() as tx:
            change(tx)
        seen.append(revisions(database, merchant))

    changed(lambda tx: service.add_version(tx, rule_id(rule), LARGE, by=by))
    changed(lambda tx: service.run_in_shadow(tx, rule_id(rule), first, by=by))
    changed(lambda tx: service.stop_shadow(tx, rule_id(rule), by=by))
    changed(lambda tx: service.activate(tx, rule.newest.id, author="gate", now=by.now))
    changed(lambda tx: service.disable(tx, rule_id(rule), by=by))
    own = [own for _, own in seen]
    assert own == list(range(own[0], own[0] + 6))
    assert len({platform for platform, _ in seen}) == 1

    created(database, replace(by, owner=None), code="platforms")
    with pytest.raises(InvalidState):
        created(database, by)
    assert revisions(database, merchant) == (seen[-1][0] + 1, seen[-1][1])


def test_a_rule_that_is_wrong_is_refused_and_nothing_is_stored(
    database: Database, merchant: MerchantId, by: Change
) -> None:
    """Each field with its own reason."""
    refused: list[tuple[type[Exception], str, str, Wording]] = [
        (InvalidRule, "1:1: there is no amont", "wrong", replace(LARGE, expression="amont > 1")),
        (InvalidRequest, "only lists allow", "wrong", replace(LARGE, action=Action.ALLOW)),
        (InvalidRequest, "message: one line", "wrong", replace(LARGE, message="")),
        (InvalidRequest, "message: one line", "wrong", replace(LARGE, message="x" * 201)),
        (InvalidRequest, "message: one line", "wrong", replace(LARGE, message="a\nb")),
        (InvalidRequest, "code: 3 to 64", "Wrong", LARGE),
        (InvalidRequest, "code: 3 to 64", "wr", LARGE),
        (InvalidRequest, "code: 3 to 64", "wröng", LARGE),
        (InvalidRequest, "code: 3 to 64", "wrong\n", LARGE),
    ]
    for error, said, code, wording in refused:
        with pytest.raises(error, match=said):
            created(database, by, code, wording)
    with pytest.raises(InvalidRule), database.transaction() as tx:
        service.add_version(tx, "frl_any", replace(LARGE, expression="1"), by=by)

    assert service.list_of(database, Page(5), owner=merchant) == ([], False)


def test_a_scope_has_a_code_once_and_so_many_rules(database: Database, by: Change) -> None:
    """The platform's codes are another scope's."""
    created(database, by, PLATFORM[0])
    with pytest.raises(InvalidState, match="add a version"):
        created(database, by, PLATFORM[0])
    for number in range(RULES_MAX - 1):
        created(database, by, f"rule_{number}")
    with pytest.raises(InvalidState, match="100 rules already"):
        created(database, by, "one_more")


def test_rules_come_in_pages_newest_first(
    database: Database, merchant: MerchantId, by: Change
) -> None:
    """Of one scope."""
    made = [created(database, by, f"rule_{number}") for number in range(3)]

    first, is_more = service.list_of(database, Page(2), owner=merchant)
    rest, is_yet_more = service.list_of(database, Page(2, before=first[-1].id), owner=merchant)
    platform, _ = service.list_of(database, Page(9), owner=None)
    assert [*first, *rest] == made[::-1]
    assert (is_more, is_yet_more) == (True, False)
    assert {rule.code for rule in platform} == set(PLATFORM)
    assert {rule.state for rule in platform} == {State.ACTIVE}


def test_a_rule_is_found_in_its_own_scope_alone(
    database: Database, merchant: MerchantId, other: MerchantId, by: Change, now: dt.datetime
) -> None:
    """Strangers, merchants that name the platform's, and what is no id: not found."""
    own = created(database, by)
    (platforms, *_), _ = service.list_of(database, Page(1), owner=None)
    until = now + DAY
    sleeper = Entity(merchant, "test", EntityKind.IP, value="192.0.2.1")

    def hidden(named: str, owner: MerchantId | None) -> None:
        hand = replace(by, owner=owner)
        acts: list[Callable[[psycopg.Connection[Any]], object]] = [
            lambda tx: service.add_version(tx, named, LARGE, by=hand),
            lambda tx: service.run_in_shadow(tx, named, version_id(own.newest), by=hand),
            lambda tx: service.stop_shadow(tx, named, by=hand),
            lambda tx: service.disable(tx, named, by=hand),
            lambda tx: snoozing.snooze(tx, named, sleeper, ends_at=until, reason="why", by=hand),
            lambda _: service.find(database, named, owner=owner),
            lambda _: service.versions_of(database, named, owner=owner),
            lambda _: snoozing.list_of(database, named, owner=owner, now=now),
            lambda _: service.statistics(
                database, named, owner=owner, since=now.date(), until=until.date()
            ),
        ]
        for act in acts:
            with pytest.raises(NotFound), database.transaction() as tx:
                act(tx)

    hidden(rule_id(own), other)
    hidden(rule_id(own), None)
    hidden(rule_id(platforms), merchant)
    hidden("frl_nonsense", merchant)
    with pytest.raises(NotFound), database.transaction() as tx:
        service.run_in_shadow(tx, rule_id(own), version_id(platforms.newest), by=by)
    assert running(database, other) == []


def test_versions_never_change_and_runs_only_end(database: Database, by: Change) -> None:
    """The record of what decided is as it was."""
    rule = activated(database, created(database, by), by)
    with database.transaction() as tx:
        service.disable(tx, rule_id(rule), by=by)

    for statement in (
        "UPDATE fraud_rule_versions SET expression = 'is_qr'",
        "DELETE FROM fraud_rule_versions",
        "UPDATE fraud_rule_runs SET ended_at = NULL, ended_by = NULL WHERE ended_at IS NOT NULL",
        "UPDATE fraud_rule_runs SET is_shadow = NOT is_shadow",
        "DELETE FROM fraud_rule_runs",
    ):
        with pytest.raises(psycopg.Error, match="never changed"), database.transaction() as tx:
            tx.execute(statement)


def test_two_that_change_one_rule_at_once_leave_one_version_deciding(
    database: Database, another_database: Callable[[], Database], by: Change
) -> None:
    """The second waits for the first, and sees what it left."""
    rule = created(database, by)
    second = another_database()

    def race() -> None:
        with second.transaction() as tx:
            tx.execute("SET LOCAL lock_timeout = 50")
            service.activate(tx, rule.newest.id, author="second", now=by.now)

    with database.transaction() as tx:
        service.activate(tx, rule.newest.id, author="first", now=by.now)
        with pytest.raises(DatabaseUnavailable):
            race()
    with second.transaction() as later:
        assert service.activate(later, rule.newest.id, author="second", now=by.now)

    assert service.find(second, rule_id(rule), owner=by.owner).live == rule.newest


def snoozed(database: Database, merchant: MerchantId, name: bytes, now: dt.datetime) -> list[UUID]:
    """The rules that say nothing about the entity at this moment."""
    with database.reading() as connection:
        row = connection.execute("SELECT fraud_snoozed(%s, %s, %s)", (merchant, [name], now))
        (found,) = row.fetchone() or ([],)
    return list(found)


@pytest.mark.parametrize(
    "named",
    [
        (EntityKind.CARD, "fp_1", "fp_1"),
        (EntityKind.CUSTOMER, "cus_1", "cus_1"),
        (EntityKind.EMAIL, " Ann@Example.com ", "ann@example.com"),
        (EntityKind.IP, "192.0.2.1", "192.0.2.1"),
        (EntityKind.TERMINAL, ids.text("qr", UUID(int=7)), UUID(int=7).hex),
        (EntityKind.MERCHANT, None, None),
    ],
)
def test_a_snooze_holds_for_one_entity_until_it_ends(
    database: Database,
    merchant: MerchantId,
    other: MerchantId,
    by: Change,
    named: tuple[EntityKind, str | None, str | None],
) -> None:
    """To the moment; in its mode and of its merchant alone; no revision changes."""
    kind, value, as_judged = named
    rule, until = created(database, by), by.now + dt.timedelta(hours=1)
    before = revisions(database, merchant)
    with database.transaction() as tx:
        sleeper = Entity(merchant, "test", kind, value=value)
        made = snoozing.snooze(tx, rule_id(rule), sleeper, ends_at=until, reason="a regular", by=by)
    name = entity("test", merchant, kind, as_judged or merchant.hex)

    assert snoozed(database, merchant, name, by.now) == [rule.id]
    assert snoozed(database, merchant, name, until - dt.timedelta(microseconds=1)) == [rule.id]
    assert snoozed(database, merchant, name, until) == []
    assert snoozed(database, merchant, name, by.now - dt.timedelta(seconds=1)) == []
    assert snoozed(database, other, name, by.now) == []
    live = entity("live", merchant, kind, as_judged or merchant.hex)
    assert snoozed(database, merchant, live, by.now) == []
    assert revisions(database, merchant) == before
    assert snoozing.list_of(database, rule_id(rule), owner=merchant, now=by.now) == [made]
    assert snoozing.list_of(database, rule_id(rule), owner=merchant, now=until) == []


def test_a_payments_own_entity_is_snoozed_and_woken(
    database: Database, merchant: MerchantId, other: MerchantId, by: Change
) -> None:
    """Named by a payment that was judged, as a person finds it; what it lacks is not found."""
    rule, payment_id, name = created(database, by), PaymentId(ids.new_id()), b"c" * 16
    with database.transaction() as tx:
        tx.execute(
            "INSERT INTO fraud_observations (payment_id, merchant_id, mode, observed_at, amount,"
            " currency, card) VALUES (%s, %s, 'test', %s, 1, 'EUR', %s)",
            (payment_id, merchant, by.now, name),
        )
        sleeper = Entity(merchant, "test", EntityKind.CARD, payment_id=payment_id)
        ends = by.now + DAY
        made = snoozing.snooze(tx, rule_id(rule), sleeper, ends_at=ends, reason="known", by=by)
        for lacking in (
            replace(sleeper, kind=EntityKind.IP),
            replace(sleeper, merchant_id=other),
            replace(sleeper, mode="live"),
        ):
            with pytest.raises(NotFound):
                snoozing.snooze(tx, rule_id(rule), lacking, ends_at=ends, reason="x", by=by)
    assert snoozed(database, merchant, name, by.now) == [rule.id]

    later, named = replace(by, now=by.now + dt.timedelta(hours=1)), ids.text("fsn", made.id)
    for stranger in (replace(later, owner=other), replace(later, owner=None)):
        with pytest.raises(NotFound), database.transaction() as tx:
            snoozing.wake(tx, named, by=stranger)
    with database.transaction() as tx:
        snoozing.wake(tx, named, by=later)
    assert snoozed(database, merchant, name, later.now) == []
    # As of the time when it held, it holds: what was decided then is decided so again.
    assert snoozed(database, merchant, name, by.now) == [rule.id]


def test_an_operator_snoozes_a_rule_of_the_platform_for_one_merchant(
    database: Database, merchant: MerchantId, now: dt.datetime
) -> None:
    """A merchant can't: the platform's rules are not its own."""
    (rule, *_), _ = service.list_of(database, Page(1), owner=None)
    with database.transaction() as tx:
        snoozing.snooze(
            tx,
            rule_id(rule),
            Entity(merchant, "live", EntityKind.MERCHANT),
            ends_at=now + DAY,
            reason="A sale.",
            by=Change(None, "operator", now),
        )

    name = entity("live", merchant, EntityKind.MERCHANT, merchant.hex)
    assert snoozed(database, merchant, name, now) == [rule.id]


def test_a_snooze_that_cannot_be_is_refused(
    database: Database, merchant: MerchantId, by: Change
) -> None:
    """It ends, soon enough; it names one entity, one way; it has a reason."""
    rule, ip = created(database, by), Entity(merchant, "test", EntityKind.IP, value="192.0.2.1")
    payment_id = PaymentId(ids.new_id())
    refused: list[tuple[str, Entity, dt.timedelta, str]] = [
        ("ends_at: ", ip, dt.timedelta(0), "why"),
        ("ends_at: ", ip, SNOOZE_MAX + dt.timedelta(seconds=1), "why"),
        ("reason: ", ip, DAY, ""),
        ("reason: ", ip, DAY, "a\x00b"),
        ("entity: name it", replace(ip, value=None), DAY, "why"),
        ("entity: name it", replace(ip, payment_id=payment_id), DAY, "why"),
        ("entity: name it", replace(ip, kind=EntityKind.MERCHANT), DAY, "why"),
        ("entity: a terminal", replace(ip, kind=EntityKind.TERMINAL), DAY, "why"),
    ]
    for said, sleeper, length, reason in refused:
        with pytest.raises(InvalidRequest, match=said), database.transaction() as tx:
            snoozing.snooze(
                tx, rule_id(rule), sleeper, ends_at=by.now + length, reason=reason, by=by
            )


def test_a_request_under_its_key_makes_one_rule(
    database: Database, merchant: MerchantId, by: Change
) -> None:
    """And is answered the same again."""
    scope = idempotency.Scope(merchant, "test", "create_fraud_rule", "key")

    def ask() -> idempotency.Answer:
        return service.answer(
            database,
            lambda tx, made: rule_resource(
                service.create_rule(tx, "large", LARGE, by=by, rule_id=made)
            ),
            scope=scope,
            fingerprint=b"f" * 32,
            now=by.now,
            status=201,
        )

    first, again = ask(), ask()
    (rule,), _ = service.list_of(database, Page(5), owner=merchant)
    assert (first.status, again.status, first.body) == (201, 201, again.body)
    assert jsontext.parse(first.body)["id"] == rule_id(rule)


class Judged:
    """Decisions as the engine writes them, of one merchant."""

    def __init__(self, database: Database, merchant: MerchantId) -> None:
        self.database, self.merchant = database, merchant

    def __call__(
        self,
        at: dt.datetime,
        *,
        hits: Sequence[Version] = (),
        errors: Sequence[Version] = (),
        verdict: str = "ALLOW",
        skipped: Sequence[str] = (),
        mode: str = "test",
    ) -> PaymentId:
        """A payment that was judged then."""
        payment_id = PaymentId(ids.new_id())
        spoke = [{"source": "rule", "id": version_id(hit), "code": "large"} for hit in hits]
        trace = {
            "hits": [*spoke, {"source": "list", "id": "fle_1", "code": "listed"}],
            "errors": [{"id": version_id(one), "code": "x", "error": "y"} for one in errors],
            "skipped": list(skipped),
        }
        reasons = [] if verdict == "ALLOW" else [{"code": "large", "action": "x"}]
        with self.database.transaction() as tx:
            tx.execute(
                "INSERT INTO fraud_decisions"
                " (payment_id, merchant_id, mode, verdict, reasons, trace, created_at)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s)",
                (payment_id, self.merchant, mode, verdict, Jsonb(reasons), Jsonb(trace), at),
            )
        return payment_id

    def labelled(self, payment_id: PaymentId, known_at: dt.datetime, *, is_fraud: bool) -> None:
        """It is known of the payment from then on."""
        with self.database.transaction() as tx:
            tx.execute(
                "INSERT INTO fraud_labels (payment_id, merchant_id, mode, is_fraud, source,"
                " source_id, known_at, card, observed_at)"
                " VALUES (%s, %s, 'test', %s, 'case', %s, %s, %s, %s)",
                (payment_id, self.merchant, is_fraud, ids.new_id(), known_at, b"c" * 16, known_at),
            )


@pytest.fixture
def judged(database: Database, merchant: MerchantId) -> Iterator[Judged]:
    """Decisions of the merchant, about payments that were never made: so they go with the test."""
    yield Judged(database, merchant)
    with database.transaction() as tx:
        tx.execute("SET LOCAL session_replication_role = replica")
        tx.execute("DELETE FROM fraud_decisions")


def counted(database: Database, rule: Rule, now: dt.datetime) -> list[Statistics]:
    """What the rule did in these days."""
    day = now.date()
    return service.statistics(
        database, rule_id(rule), owner=rule.merchant_id, since=day - 2 * DAY, until=day + DAY
    )


def test_statistics_count_each_decision_once(
    database: Database, by: Change, judged: Judged, now: dt.datetime
) -> None:
    """However often they are folded; hits by verdict and by what was learnt of them later."""
    early = replace(by, now=now - DAY)
    rule = activated(database, created(database, early), early)
    at, (version) = now - FOLD_LAG - dt.timedelta(minutes=2), rule.newest
    hit = [
        judged(at, hits=[version], verdict=verdict)
        for verdict in ("ALLOW", "CHALLENGE", "CHALLENGE", "BLOCK")
    ]
    judged(at)
    judged(at, errors=[version])
    judged(at, skipped=["rules"], verdict="CHALLENGE")
    judged(at, hits=[version], mode="live")
    judged(now - FOLD_LAG, hits=[version])
    judged(early.now - dt.timedelta(hours=3))
    judged.labelled(hit[0], now - dt.timedelta(hours=2), is_fraud=True)
    judged.labelled(hit[1], now - dt.timedelta(hours=2), is_fraud=True)
    judged.labelled(hit[1], now - dt.timedelta(hours=1), is_fraud=False)
    for _ in range(2):
        service.fold_statistics(database, now=now)

    live, test = counted(database, rule, now)
    assert (live.mode, live.evaluated, live.hits, live.allowed) == ("live", 1, 1, 1)
    assert (test.number, test.evaluated, test.hits, test.errors) == (1, 6, 4, 1)
    assert (test.allowed, test.challenged, test.blocked) == (1, 2, 1)
    assert (test.fraud, test.genuine) == (1, 1)

    service.fold_statistics(database, now=now + dt.timedelta(minutes=1))
    _, later = counted(database, rule, now)
    assert (later.evaluated, later.hits) == (7, 5)


def test_a_shadow_is_counted_beside_what_decides(
    database: Database, by: Change, judged: Judged, now: dt.datetime
) -> None:
    """Each from when it ran, to when it ended; the platform's rule over all merchants."""
    start = now - dt.timedelta(hours=5)
    early = replace(by, now=start)
    rule = activated(database, created(database, early), early)
    hour = dt.timedelta(hours=1)
    with database.transaction() as tx:
        service.add_version(tx, rule_id(rule), LARGE, by=early)
        shadow = service.find(database, rule_id(rule), owner=by.owner).newest
        hand = replace(by, now=start + hour)
        service.run_in_shadow(tx, rule_id(rule), version_id(shadow), by=hand)
    for n in range(4):
        judged(start + n * hour + hour / 2, hits=[rule.newest, shadow][: n + 1])
    with database.transaction() as tx:
        service.disable(tx, rule_id(rule), by=replace(by, now=start + 3 * hour))
    service.fold_statistics(database, now=now)

    newer, older = counted(database, rule, now)
    assert (newer.number, newer.evaluated, newer.hits) == (2, 2, 3)
    assert (older.number, older.evaluated, older.hits) == (1, 3, 4)


def test_a_long_pause_is_folded_hour_by_hour(
    database: Database, by: Change, judged: Judged, now: dt.datetime
) -> None:
    """Nothing is lost between two transactions."""
    early = replace(by, now=now - 2 * DAY)
    rule = activated(database, created(database, early), early)
    start = now - 30 * dt.timedelta(hours=1)
    for n in range(29 * 4):
        judged(start + n * dt.timedelta(minutes=15), hits=[rule.newest])

    assert service.fold_statistics(database, now=now) == 30
    (found,) = counted(database, rule, now)
    assert (found.evaluated, found.hits) == (116, 116)


def test_statistics_are_asked_for_so_many_days(database: Database, by: Change) -> None:
    """At least one, and no year."""
    rule, day = created(database, by), by.now.date()
    for until in (day, day - DAY, day + 93 * DAY):
        with pytest.raises(InvalidRequest, match="until: ask for 1 to 92"):
            service.statistics(database, rule_id(rule), owner=by.owner, since=day, until=until)


def test_an_id_reads_the_same_in_sql(database: Database) -> None:
    """Decisions name versions as people see them."""
    samples = [ids.new_id() for _ in range(50)] + [UUID(int=0), UUID(int=2**128 - 1)]
    with database.reading() as connection:
        for sample in samples:
            row = connection.execute("SELECT id_of_text(%s)", (ids.text("frv", sample),))
            assert row.fetchone() == (sample,)
        for wrong in ("", "frv_", "frv_" + "u" * 26, "frv_8" + "0" * 25, "listed", "x" * 40):
            row = connection.execute("SELECT id_of_text(%s)", (wrong,))
            assert row.fetchone() == (None,), wrong


def test_resources_hold_what_people_need_and_no_entity(
    database: Database, merchant: MerchantId, by: Change, judged: Judged, now: dt.datetime
) -> None:
    """Ids as everywhere; moments in RFC 3339."""
    rule = activated(database, created(database, by), by)
    with database.transaction() as tx:
        sleeper = Entity(merchant, "test", EntityKind.IP, value="192.0.2.1")
        snooze = snoozing.snooze(tx, rule_id(rule), sleeper, ends_at=now + DAY, reason="why", by=by)
    judged(now, hits=[rule.newest])
    service.fold_statistics(database, now=now + FOLD_LAG + dt.timedelta(seconds=1))
    version = {
        "id": version_id(rule.newest),
        "object": "fraud_rule_version",
        "number": 1,
        "expression": "amount > 10000",
        "action": "challenge",
        "message": "The amount is large.",
        "author": "client",
        "created": now.isoformat(),
    }

    assert rule_resource(rule) == {
        "id": rule_id(rule),
        "object": "fraud_rule",
        "code": "large",
        "scope": "merchant",
        "state": "active",
        "newest": version,
        "live": version,
        "shadow": None,
        "created": now.isoformat(),
    }
    assert set(snooze_resource(snooze)) == {
        "id", "object", "rule", "entity_kind", "ends", "author", "reason", "created",
    }  # fmt: skip
    (found,) = [statistics_resource(one) for one in counted(database, rule, now)]
    assert (found["version"], found["hits"], found["hits_allowed"]) == (version["id"], 1, 1)
