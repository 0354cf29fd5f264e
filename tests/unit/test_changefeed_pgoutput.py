"""The decoder reads what Postgres really sent, and refuses everything else by name."""

import datetime as dt

import pytest

from paynexus.changefeed.pgoutput import Row, UnreadableMessage, decode, transactions

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


def test_a_captured_transaction_reads_as_its_rows() -> None:
    """Columns by name, text as text, NULL as None, and the place and time of the commit."""
    (read,) = transactions(CAPTURED)

    assert read.rows == (
        Row("sample", {"id": "1", "note": "Café ☕"}),
        Row("sample", {"id": "2", "note": None}),
    )
    assert read.end_lsn == 0x1E3C060
    assert read.committed_at == dt.datetime.fromisoformat("2026-11-22T17:15:23.064989+00:00")


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"", "breaks off"),
        (b"U" + bytes(20), "not part of this publication"),
        (b"Z", "not part of this publication"),
        (b"B\0\0", "breaks off"),
        (b"R\0\0\0\1public", "breaks off"),
        (b"I\0\0\0\1K\0\0", "without its new row"),
        (b"I\0\0\0\1N\0\1u", "kind b'u'"),
        (b"I\0\0\0\1N\0\1t\xff\xff\xff\xffx", "breaks off"),
        (b"I\0\0\0\1N\0\1t\0\0\0\1\xff", "breaks off"),
        (CAPTURED[0] + b"!", "left behind"),
    ],
)
def test_anything_else_is_refused_by_name(data: bytes, named: str) -> None:
    """A change skipped in silence would be a fact lost."""
    with pytest.raises(UnreadableMessage, match=named):
        decode(data)


@pytest.mark.parametrize(
    ("messages", "named"),
    [
        (CAPTURED[:-1], "without its commit"),
        (CAPTURED[1:], "outside a transaction"),
        ([CAPTURED[-1]], "a commit without a transaction"),
        ([CAPTURED[0], *CAPTURED], "begins inside another"),
        ([CAPTURED[0], CAPTURED[2], CAPTURED[-1]], "unannounced relation"),
    ],
)
def test_messages_out_of_order_are_refused(messages: list[bytes], named: str) -> None:
    """The log never sends half a transaction, so half of one is an error."""
    with pytest.raises(UnreadableMessage, match=named):
        list(transactions(messages))


def test_origins_and_types_say_nothing_about_rows() -> None:
    """They may come between and change nothing."""
    between = [CAPTURED[0], b"O" + bytes(8) + b"elsewhere\0", *CAPTURED[1:]]

    assert list(transactions(between)) == list(transactions(CAPTURED))
