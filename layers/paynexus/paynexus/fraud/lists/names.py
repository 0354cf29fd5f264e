"""How alike two names are. Pure.

Words are paired, whatever their order, and weighed by how much they say; a name that differs only
in its spaces is the same. One word in common is never a match while other words differ.
"""

import functools
import itertools
from collections.abc import Callable, Sequence
from hashlib import blake2b
from uuid import UUID

from paynexus.fraud.lists.words import BUSINESS, FORM_WEIGHT, FREQUENT, JOINED, VARIANT_OF, weight

WORDS_COMPARED = 12
"""Words of a name that are compared; a longer name's others are left out."""
WORDS_BLOCKED = 6
"""Substantial words of a name by whose pairs it is found."""
SAME = 100.0
RESPACED = 97.0
"""Quality of a name that has the same letters with other spaces, or other legal forms."""
ONE_WORD = 60.0
"""The most that a match reaches by one substantial word while others differ."""

ALIKE = 0.8
"""How much of two words is equal at least, so that they may be one (Indel distance)."""
SHORT = 3
"""Words so short are alike only if they also sound alike."""
ALONE = 0.9
"""The same for names that consist of one word, which then has five letters at least."""
ALONE_IN_SOUND = 0.86
"""The same for those that sound alike."""
ALONE_LENGTH = 5
SOUNDS_ALIKE = 0.95
"""What words are alike at least that sound alike and begin with the same letter."""
INITIAL = 0.9
"""Of an initial and a word that begins with it."""
EVIDENCE = 1.2
"""Weight that has to be in common: more than any one word has."""
LEFT_OUT = 0.33
"""What a word counts that one of the names lacks, if the other lacks none: middle names."""
DIFFERS = 0.6
"""What a word counts while both names have words that the other lacks."""

_SOUNDS = str.maketrans("bpfvwckgjqxsztdlmnr", "11111222222223 34556".replace(" ", ""), "aeiouyh")
_KNOWN = BUSINESS | FREQUENT
"""Two of these are two words, however alike: nobody mistypes eastern as western. So are numbers."""
_HEAD = 3
_ENDS = 4
_FIRST = str.maketrans("qkzjyw", "ccsgiv")
"""First letters that stand for one another."""
_REMEMBERED = 4096
"""Names and words that are taken apart once, while one payer's name is compared with many."""
_KEY_BYTES = 8
_PLATFORM = b"platform"

type Pair = tuple[float, float, float]
"""How alike two words are, and what each of them weighs."""


def quality(listed: str, name: str) -> float:
    """0 to 100: how surely `name` is the listed one; both in normal form.

    It is the same whichever of the two is listed.
    """
    if listed == name:
        return SAME
    if not (listed.isascii() and name.isascii()):
        return 0.0
    ours, theirs = _words(listed)[:WORDS_COMPARED], _words(name)[:WORDS_COMPARED]
    strong, other = _substantial(ours), _substantial(theirs)
    if "".join(strong) == "".join(other) or "".join(ours) == "".join(theirs):
        return RESPACED
    if len(strong) == len(other) == 1:
        return _of_one_word(strong[0], other[0])
    if _respelt := _joined(strong, other):
        return _respelt
    return _of_words(ours, theirs)


def blocks(name: str, merchant_id: UUID | None, *, is_listed: bool) -> list[int]:
    """Under what a name is found, 64-bit numbers: a match has one of a listed name's at least.

    Each pair of words gives one for how the two sound, one for how they begin and one for how
    they end: one slip of the pen leaves one of them. Initials and names without spaces have
    their own. Another merchant's, and the platform's, are others.
    """
    if not name.isascii():
        return [_key(merchant_id, f"={name}")]
    words = _substantial(_words(name))[:WORDS_BLOCKED]
    keys = {f"={name}"} if not words else {*_of_whole("".join(words))}
    for one, two in itertools.combinations(sorted(words), 2):
        keys.update(_of_pair(one, two), _of_initials(one, two, is_listed=is_listed))
    return sorted({_key(merchant_id, key) for key in keys})


def sound(word: str) -> str:
    """The word's consonants by how they sound, each run of the same as one: Soundex' groups."""
    return "".join(group for group, _ in itertools.groupby(word.translate(_SOUNDS)))


@functools.lru_cache(maxsize=_REMEMBERED)
def _words(name: str) -> tuple[str, ...]:
    """The name's words, each in its first spelling, with what belongs to them."""
    words: list[str] = []
    before = ""
    for word in name.split():
        if word in JOINED and not before:
            before = JOINED[word]
            continue
        words.append(before + VARIANT_OF.get(word, word))
        before = ""
    return (*words, before) if before else tuple(words)


def _substantial(words: Sequence[str]) -> list[str]:
    found = [word for word in words if weight(word) > FORM_WEIGHT]
    return found or list(words)


def _of_one_word(one: str, other: str) -> float:
    alike = _ratio()(one, other)
    is_long = min(len(one), len(other)) >= ALONE_LENGTH
    enough = ALONE_IN_SOUND if _sound_alike(one, other) else ALONE
    return SAME * alike if is_long and alike >= enough else min(ONE_WORD, SAME * alike)


def _joined(ours: Sequence[str], theirs: Sequence[str]) -> float | None:
    """Of names of which one has fewer spaces, and perhaps a letter that differs."""
    if len(ours) == len(theirs):
        return None
    one, other = "".join(ours), "".join(theirs)
    # What lies between the words of the one must be the other's word, not a word more of it.
    if min(len(one), len(other)) < 2 * ALONE_LENGTH or len(ours) != 1 != len(theirs):
        return None
    alike = _ratio()(one, other)
    return RESPACED * alike if alike >= ALONE else None


def _of_words(ours: Sequence[str], theirs: Sequence[str]) -> float:
    pairs, left, right = _paired(ours, theirs)
    common = sum(alike**2 * (one + two) / 2 for alike, one, two in pairs)
    whole = sum((one + two) / 2 for _, one, two in pairs)
    has_other_words = [max(rest, default=0.0) > FORM_WEIGHT for rest in (left, right)]
    share = DIFFERS if all(has_other_words) else LEFT_OUT
    found = SAME * common / (whole + share * (sum(left) + sum(right)))
    evidence = sum(alike * min(one, two) for alike, one, two in pairs)
    return found if evidence >= EVIDENCE else min(found, ONE_WORD)


def _paired(
    ours: Sequence[str], theirs: Sequence[str]
) -> tuple[list[Pair], list[float], list[float]]:
    """The words that are alike, the likest first, each once; and the weights of the others."""
    likeness = sorted(
        (
            (alike, -i, -j)
            for i, one in enumerate(ours)
            for j, two in enumerate(theirs)
            if (alike := _likeness(one, two))
        ),
        reverse=True,
    )
    left, right = dict(enumerate(map(weight, ours))), dict(enumerate(map(weight, theirs)))
    pairs: list[Pair] = []
    for alike, i, j in likeness:
        if -i in left and -j in right:
            pairs.append((alike, left.pop(-i), right.pop(-j)))
    return pairs, list(left.values()), list(right.values())


def _likeness(one: str, two: str) -> float:
    """0, or from ALIKE to 1."""
    if one == two:
        return 1.0
    if len(one) == 1 or len(two) == 1:
        return INITIAL if one[0] == two[0] and len(one) != len(two) else 0.0
    if (one in _KNOWN and two in _KNOWN) or not (one.isalpha() and two.isalpha()):
        return 0.0
    alike = _ratio()(one, two)
    sounds_alike = _sound_alike(one, two)
    if alike < ALIKE or (min(len(one), len(two)) <= SHORT and not sounds_alike):
        return 0.0
    return max(alike, SOUNDS_ALIKE) if sounds_alike else alike


def _sound_alike(one: str, two: str) -> bool:
    return _heard(one) == _heard(two)


@functools.lru_cache(maxsize=_REMEMBERED)
def _heard(word: str) -> str:
    return word[0].translate(_FIRST) + sound(word)


@functools.cache
def _ratio() -> Callable[[str, str], float]:
    # 20 to 70 ms to import: for those alone whose payments meet a list of names.
    from rapidfuzz.distance import Indel  # noqa: PLC0415

    return Indel.normalized_similarity


def _of_pair(one: str, two: str) -> set[str]:
    """Of two words in any order: a slip that changes the order of two words is no slip here."""
    return {
        _pair("s", _heard(one), _heard(two)),
        _pair("h", one[:_HEAD], two[:_HEAD]),
        _pair("t", one[-_HEAD:], two[-_HEAD:]),
    }


def _of_initials(one: str, two: str, *, is_listed: bool) -> set[str]:
    """A listed initial meets whole words, and a payer's initial listed whole words."""
    keys = set()
    for first, second in ((one, two), (two, one)):
        is_initial = len(first) == 1
        if len(second) > 1:
            whose = "i" if is_initial == is_listed else "j"
            keys.add(f"{whose}{first[0]}:{_heard(second)}")
    return keys


def _of_whole(joined: str) -> set[str]:
    return {f"w{_heard(joined)}", f"e{joined[:_ENDS]}:{joined[-_ENDS:]}"}


def _pair(kind: str, one: str, two: str) -> str:
    return kind + ":".join(sorted((one, two)))


def _key(merchant_id: UUID | None, key: str) -> int:
    scope = merchant_id.bytes if merchant_id else _PLATFORM
    digest = blake2b(key.encode(), digest_size=_KEY_BYTES, key=scope).digest()
    return int.from_bytes(digest, signed=True)
