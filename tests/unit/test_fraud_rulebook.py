"""A payment is put to all rules; one that errs, sleeps or is late changes nothing of the rest."""

from collections.abc import Callable

import pytest

from paynexus import ids
from paynexus.fraud.model import Action, Source, Value
from paynexus.fraud.rulebook.book import BOOKS_MAX, Books, book_of
from paynexus.fraud.rulebook.model import LATE, RuleId, Running, VersionId, Wording
from paynexus.ids import MerchantId

VALUES: dict[str, Value] = {"amount": 12_000, "hour": 0, "country": None, "is_qr": False}


def running(code: str, expression: str, *, is_shadow: bool = False) -> Running:
    """A version of the platform's that runs."""
    return Running(
        RuleId(ids.new_id()),
        VersionId(ids.new_id()),
        code,
        Wording(expression, Action.CHALLENGE, f"{code} speaks."),
        is_platform=True,
        is_shadow=is_shadow,
    )


def after(calls: int) -> Callable[[], bool]:
    """Time that is up after so many questions."""
    left = iter([False] * calls)
    return lambda: next(left, True)


def test_hits_say_what_they_rest_on() -> None:
    """The version, its words and the features it read, known or not."""
    rule = running("large", "amount > 10000 || country == 'DE'", is_shadow=True)
    (hit,) = book_of([rule, running("small", "amount < 10")]).evaluate(VALUES).hits

    assert hit.source is Source.RULE
    assert hit.id == ids.text("frv", rule.version_id)
    assert (hit.code, hit.action, hit.detail) == ("large", Action.CHALLENGE, "large speaks.")
    assert (hit.is_platform, hit.is_shadow) == (True, True)
    assert hit.seen == {"amount": 12_000, "country": None}


def test_what_errs_is_told_and_the_rest_decides() -> None:
    """By zero, of what isn't known, of a feature that is gone."""
    book = book_of([
        running("zero", "amount / hour > 1"),
        running("unknown", "country == 'DE'"),
        running("gone", "shoe_size > 1"),
        running("large", "amount > 10000"),
    ])  # fmt: skip
    evaluated = book.evaluate(VALUES)

    assert [hit.code for hit in evaluated.hits] == ["large"]
    assert [(one.code, one.error) for one in evaluated.errors][:2] == [
        ("zero", "divide by zero"),
        ("unknown", "country is not known of this payment"),
    ]
    assert "there is no shoe_size" in evaluated.errors[2].error


def test_what_is_snoozed_says_nothing() -> None:
    """Neither a hit nor an error."""
    asleep, awake = running("asleep", "amount > 1"), running("awake", "amount > 1")
    evaluated = book_of([asleep, awake]).evaluate(VALUES, snoozed=[asleep.rule_id])

    assert [hit.code for hit in evaluated.hits] == ["awake"]
    assert evaluated.errors == ()


def test_after_the_deadline_the_rest_is_told_as_late() -> None:
    """What was evaluated before counts."""
    book = book_of([running(f"rule_{n}", "amount > 1") for n in range(4)])
    evaluated = book.evaluate(VALUES, is_late=after(2))

    assert [hit.code for hit in evaluated.hits] == ["rule_0", "rule_1"]
    assert [(one.code, one.error) for one in evaluated.errors] == [
        ("rule_2", LATE),
        ("rule_3", LATE),
    ]


def test_a_book_is_read_once_a_revision_and_compiled_once_a_version() -> None:
    """An unchanged version is the same program under the next revision."""
    books, merchant = Books(), MerchantId(ids.new_id())
    kept, added = running("kept", "amount > 1"), running("added", "amount > 2")
    reads: list[int] = []

    def load(*rules: Running) -> list[Running]:
        reads.append(len(rules))
        return list(rules)

    first = books.book(merchant, (1, 1), lambda: load(kept))
    again = books.book(merchant, (1, 1), lambda: load(kept, added))
    later = books.book(merchant, (1, 2), lambda: load(kept, added))

    assert again is first
    assert reads == [1, 2]
    assert later.rules[0][1] is first.rules[0][1]


def test_what_a_failed_read_leaves_is_the_former_state() -> None:
    """The next call reads again."""
    books, merchant = Books(), MerchantId(ids.new_id())

    def fail() -> list[Running]:
        raise RuntimeError("no database")

    with pytest.raises(RuntimeError):
        books.book(merchant, (1, 1), fail)

    assert books.book(merchant, (1, 1), lambda: [running("one", "amount > 1")]).rules


def test_a_process_keeps_so_many_books() -> None:
    """Those used last."""
    books = Books()
    merchants = [MerchantId(ids.new_id()) for _ in range(BOOKS_MAX + 1)]
    reads: list[MerchantId] = []

    def read(merchant: MerchantId) -> None:
        def load() -> list[Running]:
            reads.append(merchant)
            return []

        books.book(merchant, 1, load)

    for merchant in (*merchants[:-1], merchants[0], merchants[-1], merchants[0], merchants[1]):
        read(merchant)

    assert reads == [*merchants, merchants[1]]
