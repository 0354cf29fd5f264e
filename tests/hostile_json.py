"""Bodies that parsers disagree about, choke on or are fooled by: none of them may do anything."""

import gzip
import json
from collections.abc import Mapping

MEGABYTES_6 = 6 * 1024 * 1024
DEEP = 10_000
LONG_NUMBER_DIGITS = 100_000

_NUMBERS = {
    "NaN": "NaN",
    "Infinity": "Infinity",
    "minus Infinity": "-Infinity",
    "1e309": "1e309",
    "minus zero": "-0",
    "minus one": "-1",
    "zero": "0",
    "a fraction": "12.50",
    "a whole fraction": "1.0",
    "an exponent": "1e2",
    "2^63": str(2**63),
    "10^400": "1" + "0" * 400,
    "a hundred thousand digits": "9" * LONG_NUMBER_DIGITS,
    "true": "true",
    "text": '"1250"',
    "null": "null",
    "a list": "[1250]",
    "an object": '{"amount":1250}',
    "a leading zero": "01250",
    "a plus": "+1250",
    "hexadecimal": "0x4e2",
    "underscores": "1_250",
    "Arabic digits": "\u0661\u0662",
}


def bodies(valid: Mapping[str, object]) -> dict[str, str | bytes]:
    """Hostile forms of a valid body, by what is wrong with each; bytes are no UTF-8 text."""
    text = json.dumps(valid)
    rest = text[1:-1]
    twice = f", {rest}" if rest else ""
    name = next(iter(valid), "amount")
    value = json.dumps(valid.get(name, 1))
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in name)
    return {
        "one key twice": f'{{"{name}": {value}, "{name}": {value}{twice}}}',
        "one key in two spellings": f'{{"{name}": {value}, "{escaped}": {value}{twice}}}',
        "a nested key twice": f'{{"metadata": {{"a": "1", "a": "2"}}{twice}}}',
        "an unknown field": f'{{"amout": 1{twice}}}',
        "__proto__": f'{{"__proto__": {{"admin": true}}{twice}}}',
        "constructor": f'{{"constructor": {{"prototype": {{}}}}{twice}}}',
        "an empty key": f'{{"": 1{twice}}}',
        "a key of 60 kB": f'{{"{"k" * 60_000}": 1{twice}}}',
        "a lone surrogate": f'{{"reference": "\\ud800"{twice}}}',
        "a lone surrogate as a key": f'{{"\\udfff": 1{twice}}}',
        "a raw lone surrogate": f'{{"reference": "\ud800"{twice}}}',
        "NUL, escaped": f'{{"reference": "a\\u0000b"{twice}}}',
        "NUL, raw": f'{{"reference": "a\0b"{twice}}}',
        "a raw newline in a string": f'{{"reference": "a\nb"{twice}}}',
        "a byte order mark": "\ufeff" + text,
        "UTF-16": text.encode("utf-16"),
        "UTF-32": text.encode("utf-32"),
        "no UTF-8": b'{"reference": "\xff\xfe"}',
        "overlong UTF-8": b'{"reference": "\xc0\xaf"}',
        "a surrogate in UTF-8": b'{"reference": "\xed\xa0\x80"}',
        "gzip": gzip.compress(text.encode()),
        "ten thousand lists": "[" * DEEP + "]" * DEEP,
        "ten thousand objects": '{"a":' * DEEP + "1" + "}" * DEEP,
        "lists that never end": "[" * DEEP,
        "deep inside a field": f'{{"metadata": {"[" * DEEP}{"]" * DEEP}{twice}}}',
        "six megabytes": f'{{"reference": "{"x" * MEGABYTES_6}"{twice}}}',
        "six megabytes of spaces": " " * MEGABYTES_6 + text,
        "six megabytes of zeros": f'{{"amount": {"0" * MEGABYTES_6}}}',
        "trailing text": text + "x",
        "two documents": text + text,
        "a trailing comma": "{" + rest + ",}",
        "a comment": "/* */" + text,
        "single quotes": text.replace('"', "'") if rest else "{'a': 1}",
        "no quotes": "{amount: 1}",
        "a list": f"[{text}]",
        "a string": json.dumps(text),
        "a number": "1",
        "null": "null",
        "true": "true",
        "spaces": "   ",
        "half of it": text[: len(text) // 2],
        "form": "amount=1250&currency=EUR",
        "XML": '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        **{f"amount is {what}": f'{{"amount": {number}}}' for what, number in _NUMBERS.items()},
    }
