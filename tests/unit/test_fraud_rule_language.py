"""What rules can say, and how they are told where they are wrong."""

import pytest

from paynexus.errors import InvalidRule
from paynexus.fraud.features import FEATURES
from paynexus.fraud.model import Value
from paynexus.fraud.rulebook.language import (
    EXPRESSION_CHARACTERS_MAX,
    FUNCTIONS,
    compile_rule,
)
from paynexus.fraud.rulebook.model import HIT, MISS

PAYMENT: dict[str, Value] = {
    "amount": 12_000,
    "currency": "EUR",
    "hour": 3,
    "weekday": 7,
    "country": "DE",
    "has_country": True,
    "email_domain": None,
    "has_email_domain": False,
    "card_bin": "401234",
    "has_card_bin": True,
    "is_qr": False,
    "card_count_1h": 4,
    "challenge_above": 50_000,
}


@pytest.mark.parametrize(
    "expression",
    [
        "amount > 10000 && currency == 'EUR'",
        "amount > 50000 || card_count_1h >= 4",
        "country in ['DE', 'AT'] && !is_qr",
        "hour < 6 && weekday >= 6",
        "card_bin.startsWith('4012') && int(card_bin) < 500000",
        "has_country ? country != 'FR' : amount > 100",
        "double(amount) / 7.0 > 1714.2 && amount / 7 == 1714 && amount % 7 == 2",
        "size(country) == 2 && country.contains('E') && country.endsWith('E')",
        "// of the night\namount > challenge_above / 5 // a fifth",
        "amount > 1 || email_domain == 'example.com'",
        "!(amount < 1 && email_domain == 'example.com')",
        "amount > 1 || amount / 0 > 1",
        """country == r'DE' && currency != "{amount" """,
    ],
)
def test_a_rule_hits(expression: str) -> None:
    """As CEL has it: what isn't known, and what errs, matters only where it decides."""
    assert compile_rule(expression).evaluate(PAYMENT) == HIT


def test_a_rule_misses() -> None:
    """And says nothing else."""
    assert compile_rule("amount < 1").evaluate(PAYMENT) == MISS
    assert compile_rule("email_domain == 'x' && amount < 1").evaluate(PAYMENT) == MISS


@pytest.mark.parametrize(
    ("expression", "error"),
    [
        ("email_domain == 'example.com'", "email_domain is not known of this payment"),
        ("email_domain == 'x' || amount < 1", "email_domain is not known of this payment"),
        ("amount / (hour - 3) > 1", "divide by zero"),
        ("amount % (hour - 3) > 1", "modulus by zero"),
        ("amount * 9223372036854775807 > 1", "integer overflow"),
        ("-9223372036854775808 - amount < 1", "integer overflow"),
        ("int(country) > 1", "cannot convert string to int"),
        ("int(double(amount) * 1e300) > 1", "double out of int64 range"),
    ],
)
def test_a_rule_errs(expression: str, error: str) -> None:
    """It neither hits nor misses, and says why without the value."""
    outcome = compile_rule(expression).evaluate(PAYMENT)

    assert (outcome.is_hit, outcome.error) == (False, error)


@pytest.mark.parametrize(
    "amount", [2**63, -(2**63) - 1, "12", 1.5, float("nan"), "\ud800", b"1", []]
)
def test_a_value_of_another_type_is_an_error_of_the_rule(amount: Value) -> None:
    """Whatever was gathered, an evaluation raises nothing."""
    outcome = compile_rule("amount > 1").evaluate({"amount": amount})

    assert outcome.error
    assert not outcome.is_hit


@pytest.mark.parametrize("expression", ["country == 'x'", "country.contains('x')"])
def test_text_that_is_no_unicode_is_an_error_of_the_rule(expression: str) -> None:
    """Half a character can't be compared."""
    assert compile_rule(expression).evaluate({"country": "\ud800"}).error


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("amount > 5 && cuntry == 'DE'", "1:15: there is no cuntry. Did you mean country or"),
        ("amount > 5\n  && card_cont_1h > 1", "2:6: there is no card_cont_1h. Did you mean card_"),
        ("amount > 1.5", "1:8: found no matching overload"),
        ("amount > 1.5", "write double(…) around the whole one"),
        ("amount", "1:1: a rule is true or false; this is of type int"),
        ("amount > 1 and is_qr", "1:12: Syntax error: mismatched input 'and'"),
        ("amount = 1", "CEL writes && || ! =="),
        ("country == 'DE", "1:12: Syntax error"),
        ("", "1:1: Syntax error"),
        ("amount >", "1:9: Syntax error"),
        ("amount > 99999999999999999999", "1:10: invalid int literal"),
        ("country + 'x' == 'y'", "1:9: found no matching overload for '_+_'"),
        ("[1] + [2] == [1] && is_qr", "1:5: found no matching overload for '_+_'"),
        ("country.matches('(x+x+)+y')", "1:9: there is no matches"),
        ("[1, 2].exists(x, x == amount)", "1:8: there is no exists"),
        ("[amount].map(x, x) == [1]", "1:10: there is no map"),
        ("has(country)", "1:1: there is no has"),
        ("string(amount) == '1'", "1:1: there is no string"),
        ("dyn(amount) == 1", "1:1: there is no dyn"),
        ("timestamp(amount) > timestamp(0)", "1:1: there is no timestamp"),
        ("[amount][0] == 1", "1:9: rules have no operator [ ]"),
        ("{'a': amount}.a == 1", "1:1: rules have no maps and messages"),
        ("google.protobuf.BoolValue{value: is_qr}", "1:26: rules have no maps and messages"),
        ("true", "1:1: the rule reads no feature"),
        ("'amount' == 'amount' // amount", "1:1: the rule reads no feature"),
        ("amount > 1\u202e", "1:11: a character that can't be seen (U+202E)"),
        ("amount >\n1\x00", "2:2: a character that can't be seen (U+0000)"),
        ("\ufeffamount > 1", "1:1: a character that can't be seen (U+FEFF)"),
        ("amount > 1\ud800", "1:11: a character that can't be seen (U+D800)"),
        ("(" * 40 + "is_qr" + ")" * 40, "more than 32 levels deep"),
        ("is_qr ? is_qr : " * 40 + "is_qr", "more than 32 levels deep"),
        ("+".join(["amount"] * 60) + " > 1", "more than 32 levels deep"),
        ("!" * EXPRESSION_CHARACTERS_MAX + "is_qr", "1000 characters at most, this has 1005"),
    ],
)
def test_a_wrong_rule_is_told_where_and_what_is_right(expression: str, said: str) -> None:
    """By line and column, counted from 1, of the field that is wrong."""
    with pytest.raises(InvalidRule) as raised:
        compile_rule(expression)

    assert said in raised.value.detail
    assert raised.value.param == "expression"
    assert len(raised.value.detail) < 400


@pytest.mark.parametrize(
    "function",
    [
        "matches(country, 'D')",
        "timestamp('2026-01-01T00:00:00Z') == timestamp(0) && is_qr",
        "duration('1s') == duration('2s') && is_qr",
        "bytes(country) == b'x'",
        "uint(amount) == 1u",
        "bool(country)",
        "type(amount) == int",
        "country.getFullYear() == 1",
        "country.all(x, true)",
        "[amount].filter(x, x > 1) == []",
        "[amount].exists_one(x, x > 1)",
        "country[0] == 'D'",
        "size([amount]) == 1",
        "amount in {1: 2}",
        "country < 1",
    ],
)
def test_nothing_else_of_cel_is_a_rule(function: str) -> None:
    """Only what costs no more than its length, and what features can be asked."""
    with pytest.raises(InvalidRule):
        compile_rule(function)


def test_the_features_that_a_rule_reads_are_known() -> None:
    """Those in its text and comments are none."""
    rule = compile_rule("amount > 1 && (country == 'hour' || r\"is_qr\" == country) // weekday")

    assert rule.features == ("amount", "country")


@pytest.mark.parametrize("name", FEATURES)
def test_each_feature_can_be_read(name: str) -> None:
    """By its name, as its type."""
    assert compile_rule(f"{name} == {name}").features == (name,)


def test_no_feature_is_named_as_a_function() -> None:
    """A rule's features are told apart by their names alone."""
    assert not set(FEATURES) & set(FUNCTIONS)
