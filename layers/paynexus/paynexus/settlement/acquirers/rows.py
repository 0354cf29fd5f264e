"""A CSV file as rows by column, each with its number, in bounded memory. Pure."""

import csv
import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO, NoReturn

from paynexus.errors import BankFileRefused
from paynexus.money import EXPONENTS
from paynexus.settlement.acquirers.model import LINES_MAX, TEXT_LENGTH_MAX, FileLine

LINE_BYTES_MAX = 65_536
"""Bytes of one line of text."""

_WHOLE = re.compile(r"-?[0-9]{1,16}")
_DECIMAL = re.compile(r"(-?)([0-9]{1,16})(?:\.([0-9]{1,4}))?")


@dataclass(frozen=True, slots=True)
class Row:
    """One row; every field is a printable text without spaces around it."""

    number: int
    fields: Mapping[str, str]

    def text(self, column: str) -> str:
        """What stands in the column; refused when nothing does."""
        value = self.fields.get(column, "")
        return value or self.refuse(f"{column} is empty")

    def optional(self, column: str) -> str | None:
        """What stands in the column, if there is one and anything does."""
        return self.fields.get(column) or None

    def currency(self, column: str) -> str:
        """The currency, in capitals."""
        value = self.text(column).upper()
        return value if value in EXPONENTS else self.refuse(f"{column}: no currency {value!r}")

    def minor(self, column: str) -> int:
        """An amount in whole minor units."""
        value = self.text(column)
        return int(value) if _WHOLE.fullmatch(value) else self.refuse(f"{column}: no whole number")

    def major(self, column: str, currency: str) -> int:
        """The minor units of an amount in major units; refused where they are no whole number."""
        found = _DECIMAL.fullmatch(self.text(column))
        if found is None:
            self.refuse(f"{column}: no amount like 12.50")
        sign, whole, part = found[1], found[2], (found[3] or "").rstrip("0")
        exponent = EXPONENTS[currency]
        if len(part) > exponent:
            self.refuse(f"{column}: {currency} has {exponent} decimal places")
        return int(f"{sign}{whole}{part.ljust(exponent, '0')}")

    def moment(self, column: str) -> dt.datetime:
        """A time; in UTC unless it says otherwise."""
        try:
            found = dt.datetime.fromisoformat(self.text(column))
        except ValueError:
            self.refuse(f"{column}: no time like 2026-11-27 13:45:10")
        return found if found.tzinfo else found.replace(tzinfo=dt.UTC)

    def refuse(self, why: str) -> NoReturn:
        """The whole file is refused for this row."""
        raise BankFileRefused(f"line {self.number}: {why}", line=self.number)


def lines(
    file: BinaryIO, columns: Sequence[str], line_of: Callable[[Row], FileLine]
) -> Iterator[FileLine]:
    """What each row says, in order.

    Raises BankFileRefused, naming the line, unless the file is UTF-8 with a head that has all of
    the columns and rows that are as wide as it; or has more than LINES_MAX rows.
    """
    reader = csv.reader(_texts(file), strict=True)
    number = 0
    try:
        head = next(reader, None)
        _check(head, columns)
        for values in reader:
            number += 1
            if number > LINES_MAX:
                raise BankFileRefused(f"the file has more than {LINES_MAX} lines")
            yield line_of(_row(reader.line_num, head or [], values))
    except csv.Error as error:
        at = reader.line_num
        raise BankFileRefused(f"line {at}: no CSV: {error}", line=at) from error


def _texts(file: BinaryIO) -> Iterator[str]:
    number = 0
    while raw := file.readline(LINE_BYTES_MAX + 1):
        number += 1
        if len(raw) > LINE_BYTES_MAX:
            why = f"line {number}: it is longer than {LINE_BYTES_MAX} bytes"
            raise BankFileRefused(why, line=number)
        try:
            yield raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise BankFileRefused(f"line {number}: it is not UTF-8", line=number) from error


def _check(head: list[str] | None, columns: Sequence[str]) -> None:
    if head is None:
        raise BankFileRefused("line 1: the file is empty, it has not even a head", line=1)
    missing = [name for name in columns if name not in head]
    if missing:
        raise BankFileRefused(f"line 1: the head lacks {', '.join(missing)}", line=1)
    if len(set(head)) != len(head):
        raise BankFileRefused("line 1: the head names a column twice", line=1)


def _row(number: int, head: list[str], values: list[str]) -> Row:
    row = Row(number, dict(zip(head, values, strict=False)))
    if len(values) != len(head):
        row.refuse(f"{len(values)} fields, but the head has {len(head)}")
    return row


def checked(row: Row, line: FileLine) -> FileLine:
    """The line, if its texts can be kept and its sum is right."""
    for text in (line.line_id, line.reference, line.gateway_reference, line.payout_reference):
        if text is not None and not (text.isprintable() and len(text) <= TEXT_LENGTH_MAX):
            row.refuse(f"a reference is longer than {TEXT_LENGTH_MAX} characters, or unprintable")
    if not (line.operation.isprintable() and len(line.operation) <= TEXT_LENGTH_MAX):
        row.refuse("the operation can't be read")
    return line


def require_net(row: Row, line: FileLine, net: int) -> FileLine:
    """The checked line; refused when what the file calls net is not gross less fee."""
    if net != line.net:
        row.refuse(f"net is {net}, but gross {line.gross} less fee {line.fee} is {line.net}")
    return checked(row, line)
