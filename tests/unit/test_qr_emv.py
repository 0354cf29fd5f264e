"""EMVCo's data objects: what is written is read, what is not whole is refused."""

import cemacqr
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paynexus.qr import emv

PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=99)
some_objects = st.dictionaries(st.integers(0, 99).map("{:02d}".format), PRINTABLE, max_size=12)


@given(objects=some_objects)
def test_what_is_written_is_read(objects: dict[str, str]) -> None:
    """read(write(x)) = x, in the same order."""
    read = emv.read(emv.write(objects.items()))

    assert list(read.items()) == list(objects.items())


@given(text=st.text(max_size=60))
def test_what_is_read_is_written_alike(text: str) -> None:
    """A text that is read has no other spelling; any other is refused."""
    try:
        read = emv.read(text)
    except ValueError:
        return

    assert emv.write(read.items()) == text


@given(objects=some_objects, data=st.data())
def test_a_cut_text_is_refused_or_ends_between_objects(
    objects: dict[str, str], data: st.DataObject
) -> None:
    """No value is ever handed on in part."""
    text = emv.write(objects.items())
    cut = text[: data.draw(st.integers(0, len(text)))]
    try:
        read = emv.read(cut)
    except ValueError:
        return

    assert read.items() <= objects.items()


BROKEN = [
    "0",
    "00",
    "000",
    "0000",
    "0002A",
    "00x1A",
    "0001A0001B",
    "0001é",
    "0001\n",
    "00-1A",
    "\u0660\u066001A",
]


@pytest.mark.parametrize("text", BROKEN)
def test_what_is_no_object_is_refused(text: str) -> None:
    """Also other alphabets' digits, an id that stands twice, and what can't be printed."""
    with pytest.raises(ValueError, match=r"."):
        emv.read(text)


@pytest.mark.parametrize(
    ("number", "value"), [("0", "a"), ("0x", "a"), ("00", ""), ("00", "a" * 100)]
)
def test_what_can_not_be_written_is_refused(number: str, value: str) -> None:
    """Rather than written so that it is read as something else."""
    with pytest.raises(ValueError, match=r"."):
        emv.write([(number, value)])


def test_checksum_is_the_standards() -> None:
    """The catalogue's check value for CRC-16/IBM-3740 is 29B1; another parser reckons the same."""
    assert emv._checksum_of("") != emv._checksum_of("0")
    sealed = emv.sealed("000201")

    assert cemacqr.parse_payload(sealed).crc_ok
    assert emv.opened(sealed) == "000201"


@given(objects=some_objects, data=st.data())
def test_a_misread_character_is_noticed(objects: dict[str, str], data: st.DataObject) -> None:
    """By the checksum, before anybody looks at a signature."""
    sealed = emv.sealed(emv.write(objects.items()))
    at = data.draw(st.integers(0, len(sealed) - 1))
    other = data.draw(st.characters(min_codepoint=32, max_codepoint=126).filter(sealed[at].__ne__))

    with pytest.raises(ValueError, match="checksum"):
        emv.opened(sealed[:at] + other + sealed[at + 1 :])
