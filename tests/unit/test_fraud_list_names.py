"""Names are alike or not, on pairs whose answer is known (tests/data/fraud_names.csv)."""

import csv
from pathlib import Path

import pytest

from paynexus.fraud.lists import names, normal
from paynexus.fraud.lists.model import MIN_QUALITY, Kind

PAIRS = Path(__file__).parents[1] / "data/fraud_names.csv"
RECALL_LEAST = 0.95
PRECISION_LEAST = 0.97
MUST_MATCH = {"same", "order", "diacritic", "script", "typo", "spaces", "initials", "title", "form"}
"""Groups of which every pair is found."""


def pairs() -> list[tuple[str, bool, str, str]]:
    """Group, whether the two are one, the listed name, the payer's; names in normal form."""
    with PAIRS.open(encoding="utf-8", newline="") as file:
        return [
            (
                row["group"],
                row["is_match"] == "1",
                normal.value(Kind.NAME, row["listed"]),
                normal.value(Kind.NAME, row["name"]),
            )
            for row in csv.DictReader(file)
        ]


def is_found(listed: str, name: str) -> bool:
    """Whether the database would offer the listed name, and its quality is enough."""
    offered = set(names.blocks(listed, None, is_listed=True))
    asked = set(names.blocks(name, None, is_listed=False))
    return bool(offered & asked) and names.quality(listed, name) >= MIN_QUALITY


def test_precision_and_recall_are_what_the_documentation_says() -> None:
    """On all pairs, with the blocking that the database does."""
    judged = [(is_match, is_found(listed, name)) for _, is_match, listed, name in pairs()]
    found = judged.count((True, True))

    assert len(judged) >= 200
    assert found / sum(is_match for is_match, _ in judged) >= RECALL_LEAST
    assert found / sum(is_found for _, is_found in judged) >= PRECISION_LEAST


def test_one_word_in_common_is_never_a_match() -> None:
    """Whichever of the two is listed: a form of company, a family name, a place."""
    cases = [(listed, name) for group, _, listed, name in pairs() if group == "one_word"]
    wrong = [pair for pair in cases if is_found(*pair) or is_found(*pair[::-1])]

    assert len(cases) >= 30
    assert wrong == []


@pytest.mark.parametrize("group", sorted(MUST_MATCH))
def test_every_pair_of_the_group_is_found(group: str) -> None:
    """These are what lists are for."""
    missed = [
        (listed, name)
        for of, is_match, listed, name in pairs()
        if of == group and is_match and not is_found(listed, name)
    ]

    assert missed == []


def test_quality_is_the_same_both_ways_and_whole_for_the_same_name() -> None:
    """Over all the pairs."""
    for _, _, listed, name in pairs():
        assert names.quality(listed, name) == pytest.approx(names.quality(name, listed))
        assert 0 <= names.quality(listed, name) <= names.SAME
        assert names.quality(listed, listed) == names.SAME
