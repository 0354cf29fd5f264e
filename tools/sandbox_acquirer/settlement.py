"""The settlement file: a day's lines, what is wrong with them on demand, and what is paid. Pure."""

import csv
import enum
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from tools.sandbox_acquirer.rules import REFERENCE_LENGTH_MAX, RequestRefused, text_of
from tools.sandbox_acquirer.tokens import FIRST

COLUMNS = (
    "line",
    "reference",
    "operation",
    "charge_reference",
    "currency",
    "gross",
    "fee",
    "net",
    "created",
    "payout",
    "payout_on",
)
WRONG_BY = 100
"""Minor units by which a planted amount is too high."""
DEARER_BY = 7
"""Minor units by which a planted fee is too high."""
UNKNOWN_AMOUNT = 1000
"""Minor units of a planted line that nobody asked for."""
PAID_AFTER_DAYS = 1


class FileFault(enum.StrEnum):
    """What is wrong with a line of a settlement file."""

    DROP = "drop"
    DOUBLE = "double"
    AMOUNT = "amount"
    FEE = "fee"
    CURRENCY = "currency"
    LATE = "late"
    UNKNOWN = "unknown"


DOES: Mapping[FileFault, str] = {
    FileFault.DROP: "The line is in no file, and its money in no payout.",
    FileFault.DOUBLE: "The line stands twice, and is paid twice.",
    FileFault.AMOUNT: f"`gross` is {WRONG_BY} more than it was.",
    FileFault.FEE: f"`fee` is {DEARER_BY} more than was agreed.",
    FileFault.CURRENCY: "The line is in another currency: `USD`, or `EUR` where it was that.",
    FileFault.LATE: "The line is missing, and stands in the file of the next day.",
    FileFault.UNKNOWN: f"A line of {UNKNOWN_AMOUNT} EUR under a reference that nobody sent.",
}
"""What each planted fault does."""


@dataclass(frozen=True, slots=True)
class Planted:
    """A fault of one line: of all operations under the reference, unless one is named."""

    fault: str
    reference: str
    operation: str | None = None

    def is_of(self, line: "Line") -> bool:
        """Whether the line is the one at fault."""
        return line.reference == self.reference and self.operation in {None, line.operation}


@dataclass(frozen=True, slots=True)
class Line:
    """Money of one operation or dispute."""

    line: int
    reference: str
    operation: str
    charge_reference: str
    currency: str
    gross: int
    fee: int
    created: str

    @property
    def net(self) -> int:
        """What of it is paid out."""
        return self.gross - self.fee


def planted_of(body: Mapping[str, object]) -> tuple[date, Planted]:
    """The fault that a JSON body plants, and the day; RequestRefused when a field is wrong."""
    unknown = sorted(set(body) - {"date", "fault", "reference", "operation"})
    if unknown:
        raise RequestRefused(400, "invalid_request", f"unknown field: {unknown[0]}")
    if body.get("fault") not in set(FileFault):
        raise RequestRefused(400, "invalid_request", f"fault: one of {', '.join(FileFault)}")
    operation = None
    if body.get("operation") is not None:
        operation = text_of(body, "operation", REFERENCE_LENGTH_MAX)
    reference = text_of(body, "reference", REFERENCE_LENGTH_MAX)
    planted = Planted(str(body["fault"]), reference, operation)
    return day_of(body.get("date")), planted


def day_of(value: object) -> date:
    """A day as requests write it."""
    try:
        return date.fromisoformat(str(value))
    except ValueError as error:
        raise RequestRefused(400, "invalid_request", "date: YYYY-MM-DD") from error


def lines_of(
    day: date, own: Sequence[Line], of_the_day_before: Sequence[Line], faults: "Faults"
) -> list[Line]:
    """The lines of the day's file, the late ones of the day before among them."""
    late = [line for line in of_the_day_before if FileFault.LATE in faults.before.of(line)]
    lines: list[Line] = []
    for line in own:
        planted = faults.today.of(line)
        if not planted & {FileFault.DROP, FileFault.LATE}:
            lines += [_wrong(line, planted)] * (2 if FileFault.DOUBLE in planted else 1)
    return [*lines, *late, *faults.today.unknown(day)]


def _wrong(line: Line, planted: set[str]) -> Line:
    if FileFault.AMOUNT in planted:
        line = replace(line, gross=line.gross + WRONG_BY)
    if FileFault.FEE in planted:
        line = replace(line, fee=line.fee + DEARER_BY)
    if FileFault.CURRENCY in planted:
        line = replace(line, currency="USD" if line.currency != "USD" else "EUR")
    return line


@dataclass(frozen=True, slots=True)
class OfADay:
    """The faults of one day's file."""

    planted: Sequence[Planted]

    def of(self, line: Line) -> set[str]:
        """What is wrong with the line."""
        return {one.fault for one in self.planted if one.is_of(line)}

    def unknown(self, day: date) -> list[Line]:
        """The lines that nobody asked for."""
        at = f"{day.isoformat()}T12:00:00.000+00:00"
        return [
            Line(number, one.reference, "charge", one.reference, "EUR", UNKNOWN_AMOUNT, 0, at)
            for number, one in enumerate(self.planted, 1_000_000_000)
            if one.fault == FileFault.UNKNOWN
        ]


@dataclass(frozen=True, slots=True)
class Faults:
    """Those of the day, and of the day before: what was late then comes now."""

    today: OfADay
    before: OfADay


def csv_of(name: str, day: date, lines: Iterable[Line]) -> str:
    """The file as text."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for line in lines:
        names = ("line", "reference", "operation", "charge_reference", "currency", "gross", "fee")
        payout = (payout_reference(name, day, line.currency), _paid_on(day).isoformat())
        writer.writerow([*(getattr(line, n) for n in names), line.net, line.created, *payout])
    return out.getvalue()


def payouts_of(name: str, day: date, lines: Iterable[Line]) -> list[dict[str, object]]:
    """What is paid for the day, by currency; negative: what is collected."""
    sums: dict[str, list[int]] = {}
    for line in lines:
        sums.setdefault(line.currency, []).append(line.net)
    return [
        {
            "reference": payout_reference(name, day, currency),
            "currency": currency,
            "amount": sum(nets),
            "lines": len(nets),
            "date": _paid_on(day).isoformat(),
        }
        for currency, nets in sorted(sums.items())
    ]


def payout_reference(name: str, day: date, currency: str) -> str:
    """What the acquirer of this name calls the payout of the day."""
    prefix = "SBX" if name == FIRST else "SBX2"
    return f"{prefix}-{day:%Y%m%d}-{currency}"


def _paid_on(day: date) -> date:
    return day + timedelta(days=PAID_AFTER_DAYS)
