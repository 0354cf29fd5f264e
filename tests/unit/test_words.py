"""Money, ids and JSON at the edge: exact, ordered, strict."""

import decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from iso4217 import Currency

from paynexus import errors, ids, jsontext
from paynexus.money import EXPONENTS, NUMERIC_CODES, Money, limit_of


def test_exponents_are_those_of_iso_4217() -> None:
    """Every currency taken has the decimals that the standard's table gives it."""
    standard = {one.code: one.exponent for one in Currency}

    assert {code: standard.get(code) for code in EXPONENTS} == dict(EXPONENTS)


def test_numeric_codes_are_those_of_iso_4217() -> None:
    """Every currency taken has the three digits that the standard's table gives it."""
    standard = {one.code: f"{one.number:03d}" for one in Currency}

    assert {code: standard.get(code) for code in EXPONENTS} == dict(NUMERIC_CODES)


@pytest.mark.parametrize("amount", ["5", 5.0, True, None])
def test_only_an_int_is_an_amount(amount: object) -> None:
    """Neither text, nor a float, nor a boolean."""
    with pytest.raises(TypeError):
        Money(amount, "EUR")  # type: ignore[arg-type]  # what the test is about


@pytest.mark.parametrize("currency", ["eur", "XXX", "", "EURO"])
def test_only_listed_currencies_exist(currency: str) -> None:
    """A typo is no currency."""
    with pytest.raises(ValueError, match="unknown currency"):
        Money(1, currency)


def test_currencies_never_add_up() -> None:
    """Ten euros and ten yen are not twenty of anything."""
    with pytest.raises(ValueError, match="do not add up"):
        Money(10, "EUR") + Money(10, "JPY")


@given(st.integers(-(10**12), 10**12), st.integers(0, 10_000))
def test_a_share_is_within_half_a_unit_of_exact(amount: int, points: int) -> None:
    """The rounded share differs from the exact one by at most half a minor unit."""
    share = Money(amount, "EUR").basis_points(points).amount

    assert abs(share * 10_000 - amount * points) <= 5_000


@pytest.mark.parametrize(("amount", "share"), [(50, 0), (150, 2), (250, 2), (-50, 0), (-150, -2)])
def test_a_half_goes_to_the_even_unit_whatever_is_usual_elsewhere(amount: int, share: int) -> None:
    """The rounding that other code has set for this thread is not asked."""
    with decimal.localcontext(rounding=decimal.ROUND_UP):
        assert Money(amount, "EUR").basis_points(100) == Money(share, "EUR")


def test_the_largest_payment_is_ten_million_of_the_major_unit() -> None:
    """Whatever the currency's decimals."""
    assert (limit_of("EUR"), limit_of("JPY"), limit_of("KWD")) == (10**9, 10**7, 10**10)


@given(st.uuids())
def test_ids_read_back(value: UUID) -> None:
    """What was written is read, and only under its own prefix."""
    written = ids.text("pay", value)

    assert value == ids.parse("pay", written)
    with pytest.raises(ValueError, match="prefix"):
        ids.parse("re", written)


@given(st.text())
def test_no_other_text_is_an_id(text: str) -> None:
    """Anything else is refused, or means exactly itself."""
    try:
        value = ids.parse("pay", text)
    except ValueError:
        return

    assert text == ids.text("pay", value)


def test_ids_grow() -> None:
    """Text order is the order of making, also within one millisecond."""
    made = [ids.new_id() for _ in range(5_000)]

    assert sorted(made) == made
    assert sorted(ids.text("pay", one) for one in made) == [ids.text("pay", one) for one in made]
    assert {7} == {one.version for one in made}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"amount": 1, "amount": 2}',
        '{"a": {"b": 1, "b": 1}}',
        '{"amount": NaN}',
        '{"amount": Infinity}',
        '\ufeff{"amount": 1}',
        '{"a": "\\ud800"}',
        "[" * 33 + "]" * 33,
        "1" * 5_000,
        "[" + "1" * 41 + "]",
        "-0",
        "1e309",
        '{"a": 1, "\\u0061": 1}',
        '{"a": 1} x',
    ],
)
def test_json_that_parsers_disagree_about_is_refused(text: str) -> None:
    """Two parties must never read two different payments out of one body."""
    with pytest.raises(errors.InvalidRequest):
        jsontext.parse(text)


def test_a_body_over_64_kilobytes_is_too_large() -> None:
    """Counted in bytes, not characters."""
    with pytest.raises(errors.RequestTooLarge):
        jsontext.parse('"' + "é" * 33_000 + '"')


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_our_own_json_is_read_back(value: object) -> None:
    """What we write, we read."""
    assert value == jsontext.parse(jsontext.write(value))


def test_sums_and_differences_are_exact() -> None:
    """In the currency of both, and to the unit, whatever the sizes."""
    assert Money(10**15, "JPY") + Money(1, "JPY") == Money(10**15 + 1, "JPY")
    assert Money(5, "EUR") - Money(7, "EUR") == Money(-2, "EUR")
    with pytest.raises(ValueError, match="do not add up"):
        Money(10, "EUR") - Money(10, "JPY")


@pytest.mark.parametrize(
    ("amount", "points", "share"),
    [(50, 100, 0), (150, 100, 2), (250, 100, 2), (350, 100, 4), (-150, 100, -2), (151, 100, 2)],
)
def test_half_a_unit_goes_to_the_even_one(amount: int, points: int, share: int) -> None:
    """So that over many fees nobody gains by the rounding."""
    assert Money(amount, "EUR").basis_points(points) == Money(share, "EUR")
