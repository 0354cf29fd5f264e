"""The decoder reads what Postgres really sent, and refuses everything else by name."""

import datetime as dt

import pytest

from paynexus.changefeed.pgoutput import (
    Announcement,
    Begin,
    Commit,
    Decoder,
    Message,
    Row,
    UnreadableMessage,
)

# Captured from PostgreSQL 18: one transaction that inserted two rows into
# sample(id int, note text), the second note being NULL.
CAPTURED = [
    bytes.fromhex(line)
    for line in (
        "420000000001e3c030000303df6427fe9d00000ad8",
        (
            "520000433c7075626c69630073616d706c65006400020069640000000017ffffffff006e6f746500"
            "00000019ffffffff"
        ),
        "490000433c4e00027400000001317400000009436166c3a920e29895",
        "490000433c4e00027400000001326e",
        "43000000000001e3c0300000000001e3c060000303df6427fe9d",
    )
]


def _read(messages: list[bytes]) -> list[Message]:
    decoder = Decoder()
    return [decoder.read(data) for data in messages]


def test_a_captured_transaction_reads_as_its_rows() -> None:
    """Columns by name, text as text, NULL as None, and the place and time of the commit."""
    moment = dt.datetime.fromisoformat("2026-11-22T17:15:23.064989+00:00")

    assert _read(CAPTURED) == [
        Begin(0x1E3C030, moment, 0xAD8),
        Announcement("R"),
        Row("sample", {"id": "1", "note": "Café ☕"}),
        Row("sample", {"id": "2", "note": None}),
        Commit(0x1E3C030, 0x1E3C060, moment),
    ]


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"", "not part of this publication"),
        (b"U" + bytes(20), "not part of this publication"),
        (b"Z", "not part of this publication"),
        (b"B\0\0", "breaks off"),
        (b"R\0\0\0\1public", "breaks off"),
        (b"R\0\0\0\1public\0sample\0d\0", "breaks off"),
        (CAPTURED[0] + b"!", "left behind"),
        (CAPTURED[1] + b"!", "left behind"),
        (b"I\0\0", "breaks off"),
        (CAPTURED[2][:5] + b"K" + CAPTURED[2][6:], "without its new row"),
        (CAPTURED[2][:8] + b"u", "kind 'u'"),
        (CAPTURED[2][:-1], "breaks off"),
        (CAPTURED[2][:-10], "breaks off"),
        (CAPTURED[2][:9] + b"\xff\xff\xff\xffx", "breaks off"),
        (CAPTURED[2][:-1] + b"\xff", "breaks off"),
        (CAPTURED[2] + b"!", "left behind"),
    ],
)
def test_anything_else_is_refused_by_name(data: bytes, named: str) -> None:
    """A change skipped in silence would be a fact lost."""
    decoder = Decoder()
    if data[:1] == b"I":
        for message in CAPTURED[:2]:
            decoder.read(message)

    with pytest.raises(UnreadableMessage, match=named):
        decoder.read(data)


@pytest.mark.parametrize(
    ("messages", "named"),
    [
        (CAPTURED[1:], "outside a transaction"),
        ([CAPTURED[-1]], "a commit without a transaction"),
        ([CAPTURED[0], *CAPTURED], "begins inside another"),
        ([CAPTURED[0], CAPTURED[2], CAPTURED[-1]], "unannounced relation"),
        ([*CAPTURED[:2], CAPTURED[2][:7] + b"\1" + CAPTURED[2][8:]], "another width"),
    ],
)
def test_messages_out_of_order_are_refused(messages: list[bytes], named: str) -> None:
    """The log never sends half a transaction, nor a row of an unknown table."""
    with pytest.raises(UnreadableMessage, match=named):
        _read(messages)


def test_origins_and_types_say_nothing_about_rows() -> None:
    """They may come between and change nothing."""
    between = [CAPTURED[0], b"O" + bytes(8) + b"elsewhere\0", *CAPTURED[1:]]

    read = _read(between)

    assert read.pop(1) == Announcement("O")
    assert read == _read(CAPTURED)
