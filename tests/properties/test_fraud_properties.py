"""What follows from hits: in a fixed order of actions, whatever the order of the hits."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from paynexus.fraud.model import Action, Hit, Source, Verdict
from paynexus.fraud.policy import Decision, Limits, Scored, Thresholds, settle
from paynexus.money import Money

HITS = st.builds(
    Hit,
    source=st.sampled_from([Source.LIST, Source.RULE]),
    id=st.uuids().map(str),
    code=st.sampled_from(["email_listed", "too_many_payments"]),
    action=st.sampled_from(Action),
    detail=st.just("Said."),
    is_platform=st.booleans(),
    is_shadow=st.booleans(),
)
AGAINST = HITS.filter(lambda hit: hit.action is not Action.ALLOW)
SCORES = st.none() | st.builds(
    Scored,
    model=st.just("1"),
    probability=st.floats(0, 1),
    thresholds=st.builds(Thresholds, challenge_at=st.floats(0, 0.5), block_at=st.floats(0.5, 1)),
    is_shadow=st.booleans(),
)
SKIPPED = st.sets(st.sampled_from(["lists", "rules", "velocity", "model"])).map(sorted)
MONEY = st.builds(Money, st.integers(1, 20_000), st.just("EUR"))
ASKED = {
    Action.REVIEW: Verdict.ALLOW,
    Action.CHALLENGE: Verdict.CHALLENGE,
    Action.BLOCK: Verdict.BLOCK,
}


def _settled(
    hits: list[Hit], money: Money, scored: Scored | None, skipped: list[str] | None = None
) -> Decision:
    return settle(hits, money=money, limits=Limits(), scored=scored, skipped=skipped or [])


def _gravity(verdict: Verdict) -> int:
    return tuple(Verdict).index(verdict)


@given(st.lists(AGAINST, max_size=5), AGAINST, MONEY, SCORES, SKIPPED)
def test_a_further_hit_against_a_payment_never_lowers_the_verdict(
    hits: list[Hit], further: Hit, money: Money, scored: Scored | None, skipped: list[str]
) -> None:
    """And unless it is in shadow, the verdict is at least what it asks for."""
    before = _gravity(_settled(hits, money, scored, skipped).verdict)
    after = _gravity(_settled([*hits, further], money, scored, skipped).verdict)

    assert after >= before
    if not further.is_shadow:
        assert after >= _gravity(ASKED[further.action])


@given(st.lists(HITS, max_size=6), HITS, MONEY, SCORES, SKIPPED)
def test_an_allow_listing_never_raises_the_verdict(
    hits: list[Hit], allowing: Hit, money: Money, scored: Scored | None, skipped: list[str]
) -> None:
    """Nor does anything in shadow change it."""
    allowed = Hit(Source.LIST, allowing.id, "listed", Action.ALLOW, "", allowing.is_platform)
    shadow = Hit(Source.RULE, "1", "c", allowing.action, "", allowing.is_platform, is_shadow=True)
    before = _settled(hits, money, scored, skipped).verdict

    after = _settled([*hits, allowed], money, scored, skipped).verdict

    assert _gravity(after) <= _gravity(before)
    assert _settled([*hits, shadow], money, scored, skipped).verdict is before


@given(st.lists(HITS, max_size=6), MONEY, SCORES, SKIPPED)
def test_a_platforms_allow_list_outweighs_all_and_a_merchants_all_but_the_platforms_lists(
    hits: list[Hit], money: Money, scored: Scored | None, skipped: list[str]
) -> None:
    """A merchant vouches for its own customers, not against sanctions."""
    platforms = Hit(Source.LIST, "p", "listed", Action.ALLOW, "", is_platform=True)
    merchants = Hit(Source.LIST, "m", "listed", Action.ALLOW, "", is_platform=False)
    spoken = [hit for hit in hits if not hit.is_shadow]
    is_allowed = any(hit.action is Action.ALLOW and hit.is_platform for hit in spoken)
    is_sanctioned = any(
        hit.action is Action.BLOCK and hit.is_platform and hit.source is Source.LIST
        for hit in spoken
    )
    expected = Verdict.BLOCK if is_sanctioned and not is_allowed else Verdict.ALLOW

    assert _settled([*hits, platforms], money, scored, skipped).verdict is Verdict.ALLOW
    assert _settled([*hits, merchants], money, scored, skipped).verdict is expected


@given(st.lists(HITS, max_size=6), MONEY, SCORES, SKIPPED, st.randoms())
def test_the_order_of_hits_is_no_matter_and_none_is_lost(
    hits: list[Hit], money: Money, scored: Scored | None, skipped: list[str], chance: Random
) -> None:
    """Every hit stays on record, and what isn't ALLOW has a reason that isn't in shadow."""
    decision = _settled(hits, money, scored, skipped)
    shuffled = chance.sample(hits, len(hits))

    assert _settled(shuffled, money, scored, skipped).verdict is decision.verdict
    assert all(hit in decision.hits for hit in hits)
    assert decision.verdict is Verdict.ALLOW or decision.reasons
