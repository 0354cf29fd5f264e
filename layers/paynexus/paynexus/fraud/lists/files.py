"""Files of entries: OFAC's SDN layout, and a simple one of our own. Pure.

A file is read whole or refused with the number of the line at fault. What its texts mean to a
spreadsheet (`=…`) means nothing here: a text is a text.
"""

import csv
import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from paynexus.cards import has_card_number
from paynexus.errors import ListFileRefused
from paynexus.fraud.lists import normal
from paynexus.fraud.lists.model import ENTRIES_MAX, NOTE_LENGTH_MAX, Kind, Written

FILE_BYTES_MAX = 16 * 1024 * 1024
"""OFAC's sdn.csv has 4 MB; both of its files together stay below."""
LINES_MAX = ENTRIES_MAX
"""Lines of one file."""
FIELD_LENGTH_MAX = 10_000
"""Characters of one field: OFAC's remarks run long."""
SHOWN = 60
"""Characters of a field that a refusal tells back."""

NULL = "-0-"
"""What OFAC writes where there is nothing."""
END_OF_FILE = "\x1a"
"""OFAC's files end with it."""
SDN_FIELDS = 12
ALT_FIELDS = 5
CSV_FIELDS = ("value", "note", "expires_at")
CSV_SOURCE = "csv"
OFAC_PREFIX = "ofac:"


class Layout(StrEnum):
    """How a file is written."""

    CSV = "csv"
    """A heading `value,note,expires_at`; the last two may be absent."""
    SDN = "ofac_sdn"
    """sdn.csv, and alt.csv with the other names of the same."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line's fields, and where it begins."""

    number: int
    fields: list[str]


def read(layout: Layout, kind: Kind, content: bytes, *, aliases: bytes | None) -> list[Written]:
    """The file's entries, their values in normal form; ListFileRefused names the line at fault."""
    if layout is Layout.CSV:
        if aliases is not None:
            raise ListFileRefused("Only OFAC's layout has a second file.", param="aliases")
        found = _simple(kind, _lines(content, "file"))
    elif kind is not Kind.NAME:
        raise ListFileRefused("OFAC's files hold names: import them to such a list.", param="file")
    else:
        found = _sdn(_lines(content, "file"), _lines(aliases or b"", "aliases"))
    if not found:
        raise ListFileRefused("The file holds no entry.", param="file")
    return found


def _simple(kind: Kind, lines: Iterable[Line]) -> list[Written]:
    rows = iter(lines)
    heading = next(rows, Line(1, []))
    names = [name.strip().lower() for name in heading.fields]
    if names[:1] != ["value"] or len(set(names)) < len(names) or not set(names) <= set(CSV_FIELDS):
        raise _refused(heading, "file", f"the first line is {','.join(CSV_FIELDS)}")
    entries: dict[str, tuple[Line, Written]] = {}
    for line in rows:
        if len(line.fields) != len(names):
            raise _refused(line, "file", f"{len(line.fields)} fields, not {len(names)}")
        entry = _entry(kind, line, dict(zip(names, line.fields, strict=True)))
        if entry.value in entries:
            first = entries[entry.value][0].number
            raise _refused(line, "file", f"the same value stands in line {first}")
        entries[entry.value] = (line, entry)
    return [entry for _, entry in entries.values()]


def _entry(kind: Kind, line: Line, fields: Mapping[str, str]) -> Written:
    note = fields.get("note", "").strip()
    return Written(
        value=_value(kind, line, fields["value"], "file"),
        note=_note(line, note, "file"),
        expires_at=_moment(line, fields.get("expires_at", "").strip()),
        source=CSV_SOURCE,
    )


def _sdn(listed: Iterable[Line], others: Iterable[Line]) -> list[Written]:
    entries: dict[str, Written] = {}
    for line in listed:
        number, name, _, program, title = _fields(line, SDN_FIELDS, "file")[:5]
        source = OFAC_PREFIX + _number(line, number, "file")
        note = "; ".join(part for part in (program, title) if part)
        _add(entries, line, source, Written(name, note, None, source), "file")
    for line in others:
        number, other, _, name, _ = _fields(line, ALT_FIELDS, "aliases")[:5]
        listed_as = OFAC_PREFIX + _number(line, number, "aliases")
        if listed_as not in entries:
            raise _refused(line, "aliases", f"ent_num {number} is not in the first file")
        source = f"{listed_as}:{_number(line, other, 'aliases')}"
        note = entries[listed_as].note
        _add(entries, line, source, Written(name, note, None, source), "aliases")
    return list(entries.values())


def _add(
    entries: dict[str, Written], line: Line, source: str, written: Written, param: str
) -> None:
    if source in entries:
        raise _refused(line, param, f"the number {source.removeprefix(OFAC_PREFIX)} stands twice")
    value = _value(Kind.NAME, line, written.value, param)
    entries[source] = Written(value, _note(line, written.note, param), None, source)


def _fields(line: Line, expected: int, param: str) -> list[str]:
    if len(line.fields) != expected:
        raise _refused(line, param, f"{len(line.fields)} fields, not {expected}")
    stripped = [field.strip() for field in line.fields]
    return ["" if field == NULL else field for field in stripped]


def _number(line: Line, text: str, param: str) -> str:
    if not (text.isascii() and text.isdigit() and len(text) <= SHOWN):
        raise _refused(line, param, f"{text[:SHOWN]!r} is no number")
    return text


def _value(kind: Kind, line: Line, text: str, param: str) -> str:
    try:
        return normal.value(kind, text)
    except ValueError as error:
        raise _refused(line, param, f"{text[:SHOWN]!r}: {error}") from None


def _note(line: Line, note: str, param: str) -> str:
    if has_card_number(note):
        raise _refused(line, param, "the note holds what could be a card number")
    # OFAC's titles have no limit of their own.
    return note[:NOTE_LENGTH_MAX]


def _moment(line: Line, text: str) -> dt.datetime | None:
    if not text:
        return None
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        shown = repr(text[:SHOWN])
        raise _refused(line, "file", f"{shown} is no moment such as 2026-11-27T09:30:00Z")
    return moment


def _lines(content: bytes, param: str) -> Iterator[Line]:
    """The lines that hold something, one at a time."""
    if len(content) > FILE_BYTES_MAX:
        raise ListFileRefused(f"The file has more than {FILE_BYTES_MAX} bytes.", param=param)
    reader = csv.reader(_texts(content, param), strict=True)
    while True:
        begins = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise _refused(Line(begins, []), param, f"broken quoting ({error})") from None
        if begins > LINES_MAX:
            raise ListFileRefused(f"The file has more than {LINES_MAX} lines.", param=param)
        if fields in ([], [END_OF_FILE]):
            continue
        line = Line(begins, fields)
        if any(len(field) > FIELD_LENGTH_MAX for field in fields):
            raise _refused(line, param, f"a field has more than {FIELD_LENGTH_MAX} characters")
        yield line


def _texts(content: bytes, param: str) -> Iterator[str]:
    for number, raw in enumerate(
        content.removeprefix(b"\xef\xbb\xbf").splitlines(keepends=True), 1
    ):
        if b"\0" in raw:
            raise _refused(Line(number, []), param, "a NUL: is this a text?")
        try:
            yield raw.decode()
        except UnicodeDecodeError:
            raise _refused(Line(number, []), param, "not UTF-8") from None


def _refused(line: Line, param: str, why: str) -> ListFileRefused:
    return ListFileRefused(
        f"Line {line.number}: {why}. Nothing was imported.", param=param, line=line.number
    )
