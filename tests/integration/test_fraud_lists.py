"""Lists on real Postgres: asked, filled, imported, and held against past payments."""

import datetime as dt
import random
from dataclasses import replace
from typing import Any
from uuid import UUID

import psycopg
import pytest

from paynexus import ids
from paynexus.db import Database
from paynexus.errors import InvalidRequest, InvalidState, ListFileRefused, NotFound
from paynexus.fraud.lists import files, rescreening, rules, service, views
from paynexus.fraud.lists.files import Layout
from paynexus.fraud.lists.model import Entry, FraudList, Kind, Wanted
from paynexus.fraud.lists.store import lists as store
from paynexus.fraud.model import Action, Hit, Subject
from paynexus.ids import MerchantId, PaymentId
from paynexus.lists.model import Page
from paynexus.money import Money

SDN = (
    '36,"AEROCARIBBEAN AIRLINES","-0- ","CUBA","-0- ",-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- \r\n'
    '173,"ZARKOV, Ivan Petrovich","individual","SDGT","Minister",-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,'
    '"=HYPERLINK(""http://x"")"\r\n'
    "\x1a"
)
ALT = '173,9,"aka","SARKOV, Iwan","-0- "\r\n36,12,"fka","AERO-CARIBBEAN","-0- "\r\n\x1a'


def subject_of(merchant: MerchantId, now: dt.datetime, **known: Any) -> Subject:  # noqa: ANN401 - fields
    """A payment of which this is known."""
    fingerprint = known.pop("fingerprint", None) or "fp_nobody"
    return Subject(
        PaymentId(ids.new_id()), merchant, "test", Money(100, "EUR"), fingerprint, now, **known
    )


def list_of(
    database: Database,
    kind: Kind,
    *values: str,
    merchant: MerchantId | None,
    now: dt.datetime,
    action: Action = Action.BLOCK,
) -> str:
    """The id of a new list that holds these values."""
    name = f"list {ids.new_id()}"
    made = service.create_list(
        database, Wanted(name, kind, action, "Seen before."), merchant_id=merchant, author="a",
        now=now,
    )  # fmt: skip
    list_id = ids.text("fls", made.id)
    for value in values:
        service.add_entry(database, list_id, value, merchant_id=merchant, author="ann", now=now)
    return list_id


def asked(database: Database, subject: Subject, now: dt.datetime) -> tuple[Hit, ...]:
    """What a decision hears."""
    with database.reading() as connection:
        found = store.candidates(connection, rules.keys(subject), now=now)
    return rules.judge(found, subject)


@pytest.mark.parametrize(
    ("kind", "listed", "known"),
    [
        (Kind.FINGERPRINT, "fp_1", {"fingerprint": "fp_1"}),
        (Kind.EMAIL, "Ann.Lee@gmail.com", {"email": "annlee+x@googlemail.com"}),
        (Kind.EMAIL, "@example.com", {"email": "Anyone@Example.com"}),
        (Kind.IP, "203.0.113.0/24", {"ip": "::ffff:203.0.113.9"}),
        (Kind.IP, "2001:db8::/32", {"ip": "2001:db8:1::1"}),
        (Kind.COUNTRY, "KP", {"country": "kp"}),
        (Kind.BIN, "400123", {"card_bin": "40012399"}),
        (Kind.BIN, "40012399", {"card_bin": "40012399"}),
        (Kind.NAME, "AL-KARIMI, Yousef", {"name": "Yousef Alkarimi"}),
        (Kind.NAME, "Ltd", {"name": "ltd"}),
        (Kind.NAME, "王小龙", {"name": "王小龙"}),
    ],
)
@pytest.mark.parametrize("is_platform", [True, False])
def test_a_listed_value_is_found(  # noqa: PLR0917 - fixtures and parameters
    database: Database,
    merchant: MerchantId,
    now: dt.datetime,
    kind: Kind,
    listed: str,
    known: dict[str, str],
    is_platform: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """On the platform's list and on the merchant's own, with the list's note and action."""
    list_of(database, kind, listed, merchant=None if is_platform else merchant, now=now)

    hits = asked(database, subject_of(merchant, now, **known), now)

    assert [(hit.code, hit.action, hit.detail, hit.is_platform) for hit in hits] == [
        (f"{kind}_listed", Action.BLOCK, "Seen before.", is_platform)
    ]
    assert (hits[0].quality is not None) == (kind is Kind.NAME)
    assert asked(database, subject_of(merchant, now), now) == ()


def test_another_merchants_list_is_never_asked(
    database: Database, merchant: MerchantId, now: dt.datetime
) -> None:
    """For no kind; nor can it be read, filled or changed."""
    other = MerchantId(ids.new_id())
    with database.transaction() as tx:
        tx.execute("INSERT INTO merchants (id, name) VALUES (%s, 'Other')", (other,))
    list_id = list_of(database, Kind.NAME, "Yousef Karimi", merchant=other, now=now)

    assert asked(database, subject_of(merchant, now, name="Yousef Karimi"), now) == ()
    for stranger in (merchant, None):
        with pytest.raises(NotFound):
            service.find_list(database, list_id, merchant_id=stranger)
        with pytest.raises(NotFound):
            service.add_entry(database, list_id, "x y", merchant_id=stranger, author="a", now=now)
    assert service.lists_of(database, Page(10), merchant_id=merchant) == ([], False)


def test_what_was_listed_at_a_moment_can_be_asked(
    database: Database, merchant: MerchantId, now: dt.datetime
) -> None:
    """Before it was listed, while it was, after it expired or was removed."""
    hour = dt.timedelta(hours=1)
    list_id = list_of(database, Kind.COUNTRY, "KP", merchant=merchant, now=now)
    ends = service.add_entry(
        database, list_id, "IR", merchant_id=merchant, author="a", now=now, expires_at=now + hour
    )
    kept, _ = service.entries_of(database, list_id, Page(10), merchant_id=merchant)
    removed = next(entry for entry in kept if entry.id != ends.id)
    service.remove_entry(
        database, list_id, ids.text("fle", removed.id), merchant_id=merchant, now=now + 2 * hour
    )

    def is_met(country: str, at: dt.datetime) -> bool:
        return bool(asked(database, subject_of(merchant, at, country=country), at))

    assert [is_met("KP", now + n * hour) for n in (-1, 0, 1, 2)] == [False, True, True, False]
    assert [is_met("IR", now + n * hour) for n in (-1, 0, 1, 2)] == [False, True, False, False]
    with pytest.raises(NotFound):
        service.remove_entry(
            database, list_id, ids.text("fle", removed.id), merchant_id=merchant, now=now
        )
    with pytest.raises(psycopg.Error), database.transaction() as tx:
        tx.execute("UPDATE fraud_list_entries SET value = 'FR'")
    with pytest.raises(psycopg.Error), database.transaction() as tx:
        tx.execute("DELETE FROM fraud_list_entries")


def test_a_disabled_list_is_not_asked_and_changes_are_checked(
    database: Database, merchant: MerchantId, now: dt.datetime
) -> None:
    """And what never changes is refused."""
    list_id = list_of(database, Kind.NAME, "Yousef Karimi", merchant=merchant, now=now)
    met = subject_of(merchant, now, name="Yousef Karimy")

    assert len(asked(database, met, now)) == 1
    service.change_list(database, list_id, {"min_quality": 99.0}, merchant_id=merchant, now=now)
    assert asked(database, met, now) == ()
    changed = service.change_list(
        database, list_id, {"state": "disabled", "min_quality": 60, "action": "review"},
        merchant_id=merchant, now=now,
    )  # fmt: skip
    assert (changed.state, changed.action, changed.min_quality) == ("disabled", "review", 60.0)
    assert asked(database, met, now) == ()
    for wrong in ({"kind": "ip"}, {"min_quality": 10}, {"min_quality": True}, {"state": "off"}):
        with pytest.raises(InvalidRequest) as refusal:
            service.change_list(database, list_id, wrong, merchant_id=merchant, now=now)
        assert refusal.value.param == next(iter(wrong))
    with pytest.raises(InvalidState):
        service.add_entry(
            database, list_id, "YOUSEF karimi", merchant_id=merchant, author="a", now=now
        )
    assert views.fraud_list(changed)["is_platform"] is False


def test_entries_in_hand_are_judged_as_the_database_judges(
    database: Database, merchant: MerchantId, now: dt.datetime
) -> None:
    """On random lists and payments: what a back-test tells is what a decision would have heard."""
    rng = random.Random(7)  # noqa: S311 - repeatable
    words = ["yousef", "karimi", "zarkov", "zarkova", "ivan", "trading", "ltd", "al", "j", "ali"]
    values = {
        Kind.NAME: lambda: " ".join(rng.choices(words, k=rng.randint(1, 4))),
        Kind.EMAIL: lambda: rng.choice(["a", "b.c", "@"]).replace("@", "") + "@x.com",
        Kind.IP: lambda: rng.choice(["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "2001:db8::/32"]),
        Kind.COUNTRY: lambda: rng.choice(["DE", "FR"]),
        Kind.BIN: lambda: rng.choice(["400001", "40000112"]),
        Kind.FINGERPRINT: lambda: rng.choice(["fp1", "fp2"]),
    }
    for _ in range(18):
        kind, owner = rng.choice(list(Kind)), rng.choice([None, merchant])
        made = list_of(database, kind, merchant=owner, now=now, action=rng.choice(list(Action)))
        for written in {values[kind]() for _ in range(12 if kind is Kind.NAME else 2)}:
            service.add_entry(database, made, written, merchant_id=owner, author="a", now=now)
    held = everything(database, merchant)
    found = 0
    for _ in range(150):
        payer = subject_of(
            merchant,
            now,
            fingerprint=values[Kind.FINGERPRINT](),
            name=values[Kind.NAME](),
            email=values[Kind.EMAIL](),
            ip=rng.choice(["10.1.2.3", "10.9.9.9", "2001:db8::1", "no address"]),
            country=values[Kind.COUNTRY](),
            card_bin=values[Kind.BIN](),
        )
        hits = asked(database, payer, now)
        assert rules.matches(held, payer, now=now) == hits
        found += len(hits)

    assert found > 300


def everything(database: Database, merchant: MerchantId) -> list[tuple[FraudList, Entry]]:
    """All entries with their lists."""
    held = []
    for owner in (None, merchant):
        for one in service.lists_of(database, Page(100), merchant_id=owner)[0]:
            list_id = ids.text("fls", one.id)
            entries, _ = service.entries_of(database, list_id, Page(100), merchant_id=owner)
            held += [(one, entry) for entry in entries]
    return held


def test_ofacs_files_are_imported_with_what_changed(
    database: Database, merchant: MerchantId, now: dt.datetime
) -> None:
    """The same again changes nothing; entries by hand stay; formulas are texts."""
    list_id = list_of(database, Kind.NAME, "By Hand", merchant=None, now=now)

    def imported(sdn: str, alt: str | None) -> service.Report:
        return service.import_csv(
            database, list_id, sdn.encode(), layout=Layout.SDN, merchant_id=None, author="cron",
            now=now, aliases=alt.encode() if alt else None,
        )  # fmt: skip

    assert imported(SDN, ALT) == service.Report(4, 0, 0, 0)
    assert imported(SDN, ALT) == service.Report(0, 0, 0, 4)
    assert asked(database, subject_of(merchant, now, name="Iwan Sarkov"), now)
    later = SDN.replace("Minister", "-0- ").replace("AEROCARIBBEAN", "AEROFLOTA")
    assert imported(later, None) == service.Report(0, 2, 2, 0)
    assert not asked(database, subject_of(merchant, now, name="Aerocaribbean Airlines"), now)
    entries, _ = service.entries_of(database, list_id, Page(10), merchant_id=None)
    assert {(entry.value, entry.source) for entry in entries} == {
        ("by hand", "manual"), ("aeroflota airlines", "ofac:36"),
        ("zarkov ivan petrovich", "ofac:173"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"value,note\nDE,ok\nXX,no country\nFR,", 3),
        (b"value,note\nDE\n", 2),
        (b"value,note\nDE,ok\nde,again\n", 3),
        (b'value,note\nDE,"open\nFR,\n', 2),
        (b'value,note\nDE,"a"b\n', 2),
        (b"value,note\nDE,\xff\xfe\n", 2),
        (b"value,note\nDE,a\0b\n", 2),
        (b"value,note\nDE,4000 0000 0000 0002\n", 2),
        (b"value,expires_at\nDE,tomorrow\n", 2),
        (b"value,expires_at\nDE,2026-01-01T00:00:00\n", 2),
        (b"DE,ok\n", 1),
        (b"", 1),
        ("value\nDE\n".encode("utf-16"), 1),
        (b"value\n", None),
        (b"value\n" + b"x" * files.FILE_BYTES_MAX, None),
        (b"value,note\nDE," + b"x" * 20_000, 2),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_broken_line_is_named_and_nothing_is_imported(
    database: Database, merchant: MerchantId, now: dt.datetime, content: bytes, line: int | None
) -> None:
    """Whatever is broken, before anything is written."""
    list_id = list_of(database, Kind.COUNTRY, "KP", merchant=merchant, now=now)

    with pytest.raises(ListFileRefused) as refusal:
        service.import_csv(
            database, list_id, content, layout=Layout.CSV, merchant_id=merchant, author="a",
            now=now,
        )  # fmt: skip

    assert refusal.value.extra.get("line") == line
    entries, _ = service.entries_of(database, list_id, Page(10), merchant_id=merchant)
    assert [entry.value for entry in entries] == ["KP"]


@pytest.mark.parametrize(
    ("sdn", "alt", "param"),
    [
        (SDN.replace("173,", "36,"), None, "file"),
        (SDN.replace("36,", "x,"), None, "file"),
        (SDN.replace(',"CUBA"', ""), None, "file"),
        (SDN, ALT.replace("173,", "99,"), "aliases"),
        (SDN, ALT + ALT, "aliases"),
    ],
    ids=["number twice", "no number", "a field short", "alias of nobody", "alias twice"],
)
def test_a_broken_file_of_ofac_is_refused(sdn: str, alt: str | None, param: str) -> None:
    """With the file at fault."""
    with pytest.raises(ListFileRefused) as refusal:
        files.read(Layout.SDN, Kind.NAME, sdn.encode(), aliases=alt.encode() if alt else None)

    assert refusal.value.param == param
    assert refusal.value.extra["line"]


def test_a_mark_of_byte_order_and_10_mb_are_read(
    database: Database, merchant: MerchantId, now: dt.datetime
) -> None:
    """Ten megabytes of entries; what begins with = is a text."""
    note = "=" + "x" * 400
    rows = "".join(f"fp{number},{note},\r\n" for number in range(25_000))
    content = b"\xef\xbb\xbfvalue,note,expires_at\r\n" + rows.encode()
    list_id = list_of(database, Kind.FINGERPRINT, merchant=merchant, now=now)

    def imported(content: bytes) -> service.Report:
        return service.import_csv(
            database, list_id, content, layout=Layout.CSV, merchant_id=merchant, author="a",
            now=now,
        )  # fmt: skip

    assert len(content) > 10_000_000
    assert imported(content) == service.Report(25_000, 0, 0, 0)
    assert imported(content) == service.Report(0, 0, 0, 25_000)
    assert len(asked(database, subject_of(merchant, now, fingerprint="fp24999"), now)) == 1


def paid(database: Database, merchant: MerchantId, at: dt.datetime, **known: str) -> PaymentId:
    """A past payment of this payer."""
    payment_id = PaymentId(UUID(int=ids.first_at(at).int | ids.new_id().int & ((1 << 80) - 1)))
    with database.transaction() as tx:
        tx.execute(
            "INSERT INTO transactions (id, merchant_id, mode, amount, currency, status, capture,"
            " payment_method, fingerprint, transfer_id, created_at)"
            " VALUES (%s, %s, 'test', 100, 'EUR', 'PENDING', 'automatic', 'pm', %s, %s, %s)",
            (payment_id, merchant, known.pop("fingerprint", "fp"), ids.new_id(), at),
        )
        tx.execute(
            "INSERT INTO payment_customers (payment_id, name, ip) VALUES (%s, %s, %s)",
            (payment_id, known.get("name"), known.get("ip")),
        )
    return payment_id


def test_past_payments_are_screened_when_a_list_changes(
    database_url: str, now: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In batches, within thirty days, each hit once; another change asks for another walk."""
    database = Database(lambda: database_url)
    merchant = MerchantId(ids.new_id())
    with database.transaction() as tx:
        tx.execute("INSERT INTO merchants (id, name) VALUES (%s, 'Shop')", (merchant,))
    monkeypatch.setattr(rescreening, "PAYMENTS_PER_BATCH", 3)
    day = dt.timedelta(days=1)
    met = paid(database, merchant, now - day, name="Yousef Al-Karimi")
    paid(database, merchant, now - 40 * day, name="Yousef Al-Karimi")
    for number in range(7):
        paid(database, merchant, now - 2 * day, name=f"Nobody Number{number}")
    list_id = list_of(database, Kind.NAME, "Karimi, Yousef", merchant=None, now=now)

    assert not rescreening.rescreen(database, ids.parse("fls", list_id), now=now)
    service.add_entry(database, list_id, "Nobody Number3", merchant_id=None, author="a", now=now)
    assert 0 < rescreening.rescreen_all(database, now=now) < rescreening.BATCHES_PER_RUN

    walks, _ = service.rescreenings_of(database, list_id, Page(10), merchant_id=None)
    hits = [
        hit
        for walk in walks
        for hit in service.rescreening_hits(
            database, list_id, ids.text("frs", walk.id), Page(10), merchant_id=None
        )[0]
    ]
    assert [(walk.examined, walk.finished_at) for walk in walks] == [(8, now), (8, now)]
    assert sum(walk.hits for walk in walks) == len(hits) == 2
    assert met in {hit.payment_id for hit in hits}
    assert all(hit.quality and hit.quality >= 85 for hit in hits)
    assert rescreening.rescreen(database, ids.parse("fls", list_id), now=now)
    database.close()


def test_a_list_that_lets_pass_is_not_screened(
    database: Database, merchant: MerchantId, now: dt.datetime
) -> None:
    """Nothing is wrong with a payment that it would have met."""
    list_id = list_of(
        database, Kind.FINGERPRINT, "fp", merchant=merchant, now=now, action=Action.ALLOW
    )

    assert service.rescreenings_of(database, list_id, Page(10), merchant_id=merchant) == ([], False)


def test_limits_of_lists(
    database: Database, merchant: MerchantId, now: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of lists and of entries, each with what to do; and a name stands once."""
    wanted = Wanted("one", Kind.COUNTRY, Action.REVIEW, "")
    monkeypatch.setattr(service, "LISTS_MAX", 2)
    monkeypatch.setattr(service, "ENTRIES_MAX", 1)
    made = service.create_list(database, wanted, merchant_id=merchant, author="a", now=now)
    list_id = ids.text("fls", made.id)
    with pytest.raises(InvalidState, match="name"):
        service.create_list(database, wanted, merchant_id=merchant, author="a", now=now)
    service.create_list(
        database, replace(wanted, name="two"), merchant_id=merchant, author="a", now=now
    )
    with pytest.raises(InvalidState, match="2 lists"):
        service.create_list(
            database, replace(wanted, name="three"), merchant_id=merchant, author="a", now=now
        )
    service.add_entry(database, list_id, "DE", merchant_id=merchant, author="a", now=now)
    with pytest.raises(InvalidState, match="1 entries"):
        service.add_entry(database, list_id, "FR", merchant_id=merchant, author="a", now=now)
    with pytest.raises(ListFileRefused, match="1 entries"):
        service.import_csv(
            database, list_id, b"value\nFR\n", layout=Layout.CSV, merchant_id=merchant,
            author="a", now=now,
        )  # fmt: skip
