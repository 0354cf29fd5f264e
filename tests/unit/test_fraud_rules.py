"""Each rule at its edge, and what follows from several together."""

import pytest

from paynexus.fraud.rules import (
    Decision,
    Limits,
    ListKind,
    Match,
    Reason,
    Signals,
    Verdict,
    decide,
    normal_country,
    normal_email,
)
from paynexus.money import Money

LIMITS = Limits()


def signals(amount: int = 100, *matches: Match, seen: int = 1) -> Signals:
    """A payment in EUR."""
    return Signals(Money(amount, "EUR"), matches, seen)


def match(kind: ListKind, verdict: Verdict, note: str = "Seen before") -> Match:
    """A row of a list."""
    return Match("018f0000-0000-7000-8000-000000000000", kind, verdict, note)


def test_a_payment_that_no_rule_speaks_against_is_allowed() -> None:
    """Without a reason there's nothing to tell."""
    assert Decision(Verdict.ALLOW, ()) == decide(signals(), LIMITS)


@pytest.mark.parametrize(
    ("amount", "verdict"),
    [
        (50_000, Verdict.ALLOW),
        (50_001, Verdict.CHALLENGE),
        (1_000_000, Verdict.CHALLENGE),
        (1_000_001, Verdict.BLOCK),
    ],
)
def test_amounts_are_judged_above_their_limit(amount: int, verdict: Verdict) -> None:
    """The limit itself is still fine."""
    assert verdict == decide(signals(amount), LIMITS).verdict


@pytest.mark.parametrize(("seen", "verdict"), [(10, Verdict.ALLOW), (11, Verdict.CHALLENGE)])
def test_the_eleventh_payment_of_an_hour_is_challenged(seen: int, verdict: Verdict) -> None:
    """Ten are usual."""
    assert verdict == decide(signals(seen=seen), LIMITS).verdict


@pytest.mark.parametrize("kind", ListKind)
@pytest.mark.parametrize("verdict", [Verdict.CHALLENGE, Verdict.BLOCK])
def test_a_listed_payment_gets_its_lists_verdict(kind: ListKind, verdict: Verdict) -> None:
    """With the list's note as the reason."""
    decision = decide(signals(100, match(kind, verdict)), LIMITS)

    assert Decision(verdict, (Reason(f"{kind}_listed", verdict, "Seen before"),)) == decision


def test_the_first_block_wins_and_every_reason_is_kept() -> None:
    """The gravest reasons come first, so the first one explains the verdict."""
    found = (
        match(ListKind.COUNTRY, Verdict.CHALLENGE),
        match(ListKind.FINGERPRINT, Verdict.BLOCK),
    )

    decision = decide(signals(60_000, *found, seen=12), LIMITS)

    assert [(reason.code, reason.verdict) for reason in decision.reasons] == [
        ("fingerprint_listed", Verdict.BLOCK),
        ("country_listed", Verdict.CHALLENGE),
        ("amount_above_challenge_limit", Verdict.CHALLENGE),
        ("too_many_payments", Verdict.CHALLENGE),
    ]
    assert decision.verdict is Verdict.BLOCK


def test_a_merchants_limits_replace_the_defaults_one_by_one() -> None:
    """What isn't a number from zero on is as good as absent."""
    limits = Limits.from_configuration(
        {
            "challenge_above_minor": 7,
            "block_above_minor": True,
            "max_payments_per_hour": -1,
            "unknown": 3,
        }
    )

    assert Limits(challenge_above_minor=7) == limits


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (
            signals(50_001),
            Reason(
                "amount_above_challenge_limit",
                Verdict.CHALLENGE,
                "50001 EUR in minor units is above 50000.",
            ),
        ),
        (
            signals(1_000_001),
            Reason(
                "amount_above_block_limit",
                Verdict.BLOCK,
                "1000001 EUR in minor units is above 1000000.",
            ),
        ),
        (
            signals(seen=11),
            Reason(
                "too_many_payments",
                Verdict.CHALLENGE,
                "11 payments with this payment method within an hour, 10 are usual.",
            ),
        ),
    ],
)
def test_a_reason_says_what_was_seen_and_what_is_usual(seen: Signals, reason: Reason) -> None:
    """Whoever reads the decision needs no other table."""
    assert decide(seen, LIMITS) == Decision(reason.verdict, (reason,))


def test_a_limit_of_nothing_is_a_limit() -> None:
    """Zero is no absence: every amount is above it."""
    nothing = {"challenge_above_minor": 0, "block_above_minor": 1, "max_payments_per_hour": 0}

    assert Limits.from_configuration(nothing) == Limits(0, 1, 0)


def test_lists_are_matched_whatever_the_spelling() -> None:
    """Addresses in small letters, countries in capitals, neither with blanks around."""
    assert normal_email(" Anna@Example.COM ") == "anna@example.com"
    assert normal_country(" de ") == "DE"
