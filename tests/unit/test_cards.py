"""What could be a card number is found, however it is written; what can't be is left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paynexus.cards import has_card_number

# The networks' own test numbers.
NUMBERS = [
    "4242424242424242",
    "4222222222222",
    "4000000000000000006",
    "5555555555554444",
    "2223003122003222",
    "378282246310005",
    "30569309025904",
    "6011111111111117",
    "3566002020360505",
    "6205500000000000004",
    "6304000000000000000",
    "9792020000000001",
]
WRITTEN = [
    "4242 4242 4242 4242",
    "4242-4242-4242-4242",
    "5555.5555.5555.4444",
    "4242\u00a04242\u00a04242\u00a04242",
    "4242\u20134242\u20134242\u20134242",
    "3782 822463 10005",
    "3056 930902 5904",
    "4000 0000 0000 0000 006",
    "\uff14\uff12" * 8,
    "\u0664\u0662" * 8,
]
AROUND = ["{}", "paid with {}, thanks", "card:{}", "({})", "12 {} 12/29 123", "2026 {}", "#{}!"]
HARMLESS = [
    "4242424242424241",
    "order 4711",
    "1763831161123",
    "1763831161123456",
    "1763831161123456789",
    "20261122000123",
    "2026-11-22T18:30:00.123456Z",
    "DE89370400440532013000",
    "DE89 3704 0044 0532 0130 00",
    "424242424242424242424242",
    "tok_4242424242424242",
    "o4007000000027",
    "+49 170 1234 5678",
    "",
]


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("number", NUMBERS + WRITTEN)
def test_a_card_number_is_found(number: str, around: str) -> None:
    """In any script, in the groups that cards print, within a sentence."""
    assert has_card_number(around.format(number))


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_card_number_is_left_alone(text: str) -> None:
    """Wrong check digit, wrong length, no issuer, or part of a word."""
    assert not has_card_number(text)


@given(st.datetimes().map(str) | st.text(st.characters(exclude_categories=["Nd"])))
def test_times_and_words_are_left_alone(text: str) -> None:
    """Whatever they say."""
    assert not has_card_number(text)


@given(st.sampled_from(["4", "51", "34", "36", "6011", "22"]), st.data())
def test_one_check_digit_in_ten_makes_a_card_number(issuer: str, data: st.DataObject) -> None:
    """Luhn's check digit is unique: no wrong one is refused, the right one always."""
    length = {"34": 15, "36": 14}.get(issuer, 16)
    rest = length - len(issuer) - 1
    body = issuer + data.draw(st.text("0123456789", min_size=rest, max_size=rest))

    assert [has_card_number(body + digit) for digit in "0123456789"].count(True) == 1
