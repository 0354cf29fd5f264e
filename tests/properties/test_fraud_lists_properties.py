"""Whatever is listed is found, and one more entry takes nothing away."""

import datetime as dt
from uuid import UUID

from hypothesis import assume, given
from hypothesis import strategies as st

from paynexus import ids
from paynexus.fraud.lists import normal, rules
from paynexus.fraud.lists.model import Entry, FraudList, Kind, State
from paynexus.fraud.model import Action, Subject
from paynexus.ids import MerchantId, PaymentId
from paynexus.money import Money

NOW = dt.datetime(2026, 11, 27, tzinfo=dt.UTC)
MERCHANT = MerchantId(ids.first_at(NOW))
WORDS = st.sampled_from(["yousef", "karimi", "al", "ltd", "zarkov", "J", "Müller", "王", "bank"])
WRITTEN = {
    Kind.FINGERPRINT: st.from_regex(r"fp_[a-z0-9]{1,8}", fullmatch=True),
    Kind.EMAIL: st.emails(),
    Kind.IP: st.ip_addresses().map(str),
    Kind.COUNTRY: st.sampled_from(["DE", "kp", "FR"]),
    Kind.BIN: st.from_regex(r"[0-9]{6}([0-9]{2})?", fullmatch=True),
    Kind.NAME: st.lists(WORDS, min_size=1, max_size=5).map(" ".join) | st.text(max_size=30),
}
VALUES = st.sampled_from(Kind).flatmap(lambda kind: st.tuples(st.just(kind), WRITTEN[kind]))
FIELDS = {Kind.BIN: "card_bin"}


def payment(values: list[tuple[Kind, str]]) -> Subject:
    """A payment whose payer has these."""
    known = {FIELDS.get(kind, kind.value): written for kind, written in values}
    return Subject(
        payment_id=PaymentId(ids.first_at(NOW)),
        merchant_id=MERCHANT,
        mode="test",
        money=Money(1, "EUR"),
        fingerprint=known.get("fingerprint", "fp"),
        created_at=NOW,
        email=known.get("email"),
        name=known.get("name"),
        ip=known.get("ip"),
        country=known.get("country"),
        card_bin=known.get("card_bin"),
    )


def listed(
    kind: Kind, written: str, action: Action, number: int, owner: MerchantId | None
) -> tuple[FraudList, Entry]:
    """An entry on a list of its own; a value that has no normal form is no example."""
    try:
        value = normal.value(kind, written)
    except ValueError:
        value = ""
    assume(value)
    quality = 85.0 if kind is Kind.NAME else None
    one = FraudList(
        UUID(int=number), owner, "list", kind, action, "note", quality, State.ACTIVE, "a", NOW
    )
    return one, Entry(UUID(int=number), one.id, value, "", "a", "manual", NOW)


@given(VALUES, st.sampled_from(Action), st.sampled_from([None, MERCHANT]))
def test_a_listed_value_meets_itself(
    value: tuple[Kind, str], action: Action, owner: MerchantId | None
) -> None:
    """Of every kind, in whatever form it was listed and is paid with."""
    entry = listed(*value, action, 1, owner)

    hits = rules.matches([entry], payment([value]), now=NOW)

    assert [(hit.action, hit.is_platform) for hit in hits] == [(action, owner is None)]


@given(st.lists(VALUES, max_size=6), VALUES, st.lists(VALUES, max_size=4))
def test_one_more_entry_that_lets_pass_takes_no_hit_away(
    others: list[tuple[Kind, str]], more: tuple[Kind, str], payer: list[tuple[Kind, str]]
) -> None:
    """And adds at most one, that asks for nothing else."""
    held = [listed(*value, Action.BLOCK, at + 1, None) for at, value in enumerate(others)]
    further = listed(*more, Action.ALLOW, 100, MERCHANT)
    subject = payment([*payer, more])

    before = rules.matches(held, subject, now=NOW)
    after = rules.matches([*held, further], subject, now=NOW)

    assert {hit.id for hit in before} <= {hit.id for hit in after}
    added = [hit for hit in after if hit not in before]
    assert len(added) <= 1
    assert all(hit.action is Action.ALLOW for hit in added)


@given(st.text(max_size=200) | st.binary(max_size=50).map(lambda raw: raw.decode("latin-1")))
def test_whatever_a_payer_says_is_looked_up(said: str) -> None:
    """What can't be read is left out, and never an error."""
    found = rules.keys(payment([(kind, said) for kind in Kind if kind is not Kind.FINGERPRINT]))

    for value in (*found.email, *found.bin, found.country, found.ip):
        assert "\0" not in (value or "")
    assert found.name is None or found.name_blocks
