"""What a configuration decides, and what entries would say that no list has yet."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from uuid import UUID

import pytest

from paynexus.fraud.backtest.changes import Proposal
from paynexus.fraud.backtest.configuration import Configuration
from paynexus.fraud.backtest.judging import Score, court_of
from paynexus.fraud.backtest.proposed import Proposed
from paynexus.fraud.backtest.replay import Payment
from paynexus.fraud.lists.model import Candidate, FraudList, Kind, State
from paynexus.fraud.model import Action, Value, Verdict
from paynexus.fraud.rulebook.model import RuleId, Running, VersionId, Wording
from tests.backtest_world import START, paid

ALLOWS = Candidate(UUID(int=1), Kind.COUNTRY, Action.ALLOW, "We know them.", is_platform=False)


def _listing(kind: Kind) -> FraudList:
    return FraudList(
        id=UUID(int=9),
        merchant_id=None,
        name="Stopped",
        kind=kind,
        action=Action.BLOCK,
        note="It was stopped before.",
        min_quality=85 if kind is Kind.NAME else None,
        state=State.ACTIVE,
        author="ada",
        created_at=START - dt.timedelta(days=1),
    )


def _payment(**payer: str) -> Payment:
    payment = paid(1).payment
    return replace(payment, subject=replace(payment.subject, **payer))  # type: ignore[arg-type]


def _configuration(expression: str = "amount > 0") -> Configuration[Running]:
    wording = Wording(expression, Action.BLOCK, "It looks like fraud.")
    running = Running(
        RuleId(UUID(int=2)),
        VersionId(UUID(int=3)),
        "rule",
        wording,
        is_platform=True,
        is_shadow=False,
    )
    return Configuration(rules={running.rule_id: running})


@pytest.mark.parametrize(
    ("kind", "listed", "payer", "is_hit"),
    [
        (Kind.EMAIL, "eve@example.com", {"email": "EVE@example.com"}, True),
        (Kind.EMAIL, "@example.com", {"email": "eve@example.com"}, True),
        (Kind.EMAIL, "eve@example.com", {"email": "ada@example.com"}, False),
        (Kind.IP, "203.0.113.0/24", {"ip": "203.0.113.7"}, True),
        (Kind.IP, "203.0.113.7/32", {"ip": "203.0.113.7"}, True),
        (Kind.IP, "203.0.113.0/24", {"ip": "203.0.114.7"}, False),
        (Kind.IP, "2001:db8::/32", {"ip": "2001:db8::1"}, True),
        (Kind.IP, "203.0.113.0/24", {"ip": "2001:db8::1"}, False),
        (Kind.COUNTRY, "KP", {"country": "KP"}, True),
        (Kind.BIN, "424242", {"card_bin": "42424242"}, True),
        (Kind.NAME, "ivan petrenkov", {"name": "Petrenkov, Ivan"}, True),
        (Kind.NAME, "ivan petrenkov", {"name": "Ada Lovelace"}, False),
        (Kind.EMAIL, "eve@example.com", {}, False),
        (Kind.IP, "203.0.113.0/24", {}, False),
    ],
)
def test_proposals_say_what_entries_would(
    kind: Kind, listed: str, payer: Mapping[str, str], *, is_hit: bool
) -> None:
    """Of each kind, in their normal form; beside others that say nothing."""
    others = {
        Kind.EMAIL: "zoe@example.org",
        Kind.IP: "198.51.100.0/25",
        Kind.COUNTRY: "IR",
        Kind.BIN: "555555",
        Kind.NAME: "maximiliane unbekannt",
    }
    proposals = [Proposal(listed), Proposal(others[kind])]

    hits = Proposed(_listing(kind), proposals, now=START).hits(_payment(**payer).subject)

    assert len(hits) == is_hit


def test_a_proposal_of_a_merchants_list_says_nothing_of_anothers_payment() -> None:
    """Nor one of a list that isn't asked."""
    payment = _payment(country="KP")
    for changed in ({"merchant_id": UUID(int=77)}, {"state": State.DISABLED}):
        one = replace(_listing(Kind.COUNTRY), **changed)

        assert Proposed(one, [Proposal("KP")], now=START).hits(payment.subject) == ()


def _never(version: str) -> Score:
    raise AssertionError(version)


def test_lists_are_heeded_before_rules() -> None:
    """Unless the entry is taken off."""
    payment = replace(_payment(), listed=(ALLOWS,))
    configuration = _configuration()
    without = replace(configuration, removed=frozenset({ALLOWS.entry_id}))

    verdicts = [
        court_of(one, _never).judge(payment, {}).verdict for one in (configuration, without)
    ]

    assert verdicts == [Verdict.ALLOW, Verdict.BLOCK]


@pytest.mark.parametrize(
    ("state", "probability", "verdict"),
    [
        ("active", 0.95, Verdict.BLOCK),
        ("active", 0.6, Verdict.CHALLENGE),
        ("active", 0.4, Verdict.ALLOW),
        ("shadow", 0.95, Verdict.ALLOW),
        ("off", 0.95, Verdict.ALLOW),
    ],
)
def test_a_model_decides_from_its_thresholds_on_if_it_is_active(
    state: str, probability: float, verdict: Verdict
) -> None:
    """The thresholds and the state are the configuration's."""
    settings = {"model": "m", "model_state": state, "challenge_at": 0.5, "block_at": 0.9}
    configuration: Configuration[Running] = Configuration(platform=settings)

    def model(_version: str) -> Score:
        def score(_values: Mapping[str, Value]) -> float:
            return probability

        return score

    assert court_of(configuration, model).judge(_payment(), {}).verdict is verdict


def test_a_rule_that_errs_is_counted_and_decides_nothing() -> None:
    """Its feature isn't known of this payment."""
    judged = court_of(_configuration("card_count_1h > 0"), _never).judge(_payment(), {})

    assert (judged.verdict, judged.errors) == (Verdict.ALLOW, 1)
