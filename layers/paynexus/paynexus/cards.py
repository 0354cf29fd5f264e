"""Card numbers, which no text that we keep may hold."""

import re

_GAP = r"(?P<gap>[ .\u00a0\u2010-\u2015-])"
_SHAPES = (
    # In one piece, or in the groups that cards print: 4-4-4-4, 4-4-4-4-3, 4-4-4-1, 4-6-5, 4-6-4.
    r"\d{13,19}",
    rf"\d{{4}}{_GAP}\d{{4}}(?P=gap)\d{{4}}(?P=gap)\d{{1,4}}",
    rf"\d{{4}}{_GAP}\d{{4}}(?P=gap)\d{{4}}(?P=gap)\d{{4}}(?P=gap)\d{{1,3}}",
    rf"\d{{4}}{_GAP}\d{{6}}(?P=gap)\d{{4,5}}",
)
# Digits within a word are someone's identifier. Numbers may overlap: hence the look-ahead.
_NUMBERS = tuple(re.compile(rf"(?<!\w)(?=(?P<number>{shape})(?!\w))") for shape in _SHAPES)
# Who issues numbers of which length: Visa, Diners, American Express, JCB and UATP the short ones,
# every network that begins with 3 to 6 the long ones; Mastercard and Mir with 2; RuPay; Troy.
_ISSUED = re.compile(
    r"4\d{12}|3[0689]\d{12}|3[47]\d{13}|2131\d{11}|1\d{14}"
    r"|[3-6]\d{15,18}|2[2-7]\d{14,17}|8[12]\d{14}|9792\d{12}"
)


def has_card_number(text: str) -> bool:
    """Whether a number stands in `text` that a card could have.

    That is 13 to 19 digits of which the last checks the others (ISO/IEC 7812-1, Luhn) and which
    begin as issuers' numbers do, so that times in milliseconds and most order numbers pass.
    """
    return any(
        _is_card_number("".join(str(int(c)) for c in found["number"] if c.isdecimal()))
        for shape in _NUMBERS
        for found in shape.finditer(text)
    )


def _is_card_number(digits: str) -> bool:
    return _ISSUED.fullmatch(digits) is not None and _luhn_sum(digits) % 10 == 0


def _luhn_sum(digits: str) -> int:
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return sum(doubled) + sum(int(digit) for digit in digits[::-2])
