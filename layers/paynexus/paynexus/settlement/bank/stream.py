"""A bank's XML file as a stream of records: never more of it in memory than its limits allow.

A DTD may only stand before the first element, so all up to there is read through defusedxml, which
forbids one: no entity can be declared. From the first element on the parser in C reads, ten times
as fast. It builds a tree below an element of ours; after each chunk what is complete is taken out.
"""

import io
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from operator import attrgetter
from typing import BinaryIO
from xml.etree import ElementTree as ET  # see above

from defusedxml import ElementTree as SafeET

from paynexus.errors import BankFileRefused

CHUNK_BYTES = 1 << 17
"""Read at a time."""
LARGEST_PROLOG_BYTES = 1 << 16
"""Before and in the first start tag."""
LARGEST_RECORD_BYTES = 1 << 19
"""In which one record at least must end: no text, attribute, comment or element is longer."""
MOST_ELEMENTS = 10_000
"""Kept at the end of a chunk: those of one open record, and of the heads above it."""
MOST_CHARACTERS = 1 << 20
"""In the texts of those elements."""
MOST_NAMES = 2_000
"""Different names of elements in a file; the standard's largest message has some 900."""
DEEPEST = 40
"""Open elements within each other; the standard's messages need some 20."""
ATTRIBUTES = frozenset({"Ccy"})
"""Those of the standard. Any other, but for XML Schema's own on the first element, is refused."""

_ENCODING = re.compile(rb"<\?xml[^>]*?encoding\s*=\s*[\"']([^\"']*)[\"']")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SCHEMA_ATTRIBUTE = "{http://www.w3.org/2001/XMLSchema-instance}"
_OURS = "file"
_TAG = attrgetter("tag")

type Piece = tuple[tuple[ET.Element, ...], ET.Element]
"""A complete element with those it lies in, the outermost first. It leaves the tree afterwards."""


def first_tag(file: BinaryIO) -> str:
    """The first element's name with its namespace, as `{urn:…}Document`; the file is at its start.

    BankFileRefused for what has a DTD, is not in UTF-8, or is no XML up to there.
    """
    file.seek(0)
    head = file.read(LARGEST_PROLOG_BYTES)
    file.seek(0)
    _require_utf8(head)
    try:
        for _, element in SafeET.iterparse(io.BytesIO(head), ("start",), forbid_dtd=True):
            return str(element.tag)
    except (ET.ParseError, ValueError, LookupError) as error:
        # defusedxml's own are ValueErrors; their names say what was found.
        raise BankFileRefused(f"not a readable XML document: {type(error).__name__}") from error
    raise BankFileRefused("there is no element in the file")


class Stream:
    """The elements of one path through a file, each handed over once it is complete.

    `path` has the names from the first element to the innermost of interest. Those from number
    `whole` on come with all that is in them, unless they are so long that they are still open at
    the end of a chunk: then what is complete in them comes first, by itself. Elements beside the
    path stay where they are, to be found in the elements of the path around them.
    """

    def __init__(self, file: BinaryIO, namespace: str, path: Sequence[str], *, whole: int) -> None:
        self._file = file
        self._prefix = f"{{{namespace}}}"
        self._path = [f"{self._prefix}{name}" for name in path]
        self._whole = whole
        builder = ET.TreeBuilder(insert_pis=True)
        self._root = builder.start(_OURS, {})
        self._builder = builder
        self._parser = ET.XMLParser(target=builder)  # noqa: S314 - no DTD: see first_tag
        self._names: set[object] = {_OURS}
        self._open_tag = b""

    @property
    def body(self) -> ET.Element:
        """The message within the document: the second element of the path."""
        document = self._root.find(self._path[0])
        body = None if document is None else document.find(self._path[1])
        if body is None:
            raise BankFileRefused(f"there is no {_local(self._path[1])} in the document")
        return body

    def pieces(self) -> Iterator[Piece]:
        """All of them, in the file's order; BankFileRefused as soon as something is wrong."""
        gap = 0
        while chunk := self._file.read(CHUNK_BYTES):
            self._feed(chunk)
            gap += len(chunk)
            for piece in self._taken((self._root,), is_open=True):
                gap = 0
                yield piece
            if gap > LARGEST_RECORD_BYTES:
                raise BankFileRefused(f"no record ends in {LARGEST_RECORD_BYTES} bytes")
            self._require_small()
        self._finish()
        yield from self._taken((self._root,), is_open=False)
        self._require_nothing_beside()

    def _feed(self, chunk: bytes) -> None:
        is_suspect = self._may_have_other_attributes(chunk)
        try:
            self._parser.feed(chunk)
            if is_suspect:
                self._parser.flush()
        except (ET.ParseError, ValueError) as error:
            raise BankFileRefused(f"not well-formed XML: {error}") from error
        self._require_known()
        if is_suspect:
            self._require_usual_attributes()

    def _may_have_other_attributes(self, chunk: bytes) -> bool:
        """Whether an equals sign stands anywhere but in the standard's one attribute.

        A tag that the chunk ends in the middle of is looked at once more with the next one. To ask
        each element for its attributes costs ten times as much.
        """
        text = self._open_tag + chunk
        self._open_tag = text[text.rfind(b"<") :]
        return text.count(b"=") != text.count(b' Ccy="')

    def _finish(self) -> None:
        try:
            self._parser.flush()
            self._builder.end(_OURS)
            self._parser.close()
        except (ET.ParseError, ValueError, IndexError) as error:
            raise BankFileRefused(f"the XML ends too early: {error}") from error
        self._require_known()
        self._require_usual_attributes()

    def _taken(self, above: tuple[ET.Element, ...], *, is_open: bool) -> Iterator[Piece]:
        """The complete elements of the path below the last of `above`, taken out of the tree."""
        node, depth = above[-1], len(above) - 1
        is_innermost = depth + 1 == len(self._path)
        is_taken = is_innermost or 1 < depth <= self._whole
        unfinished = node[-1] if is_open and len(node) else None
        _require_blank(node.text, node)
        around = above[1:]
        for child in node.findall(self._path[depth]):
            is_child_open = child is unfinished
            if not is_innermost and (is_child_open or depth != self._whole):
                yield from self._taken((*above, child), is_open=is_child_open)
            if is_taken and not is_child_open:
                if child.tail:
                    _require_blank(child.tail, node)
                yield around, child
                node.remove(child)

    def _require_known(self) -> None:
        """All names in the tree are of the one namespace, and few; this sees each element."""
        root = self._root
        if not self._names.issuperset(map(_TAG, root.iter())):
            for element in root.iter():
                self._learn(element.tag)

    def _require_usual_attributes(self) -> None:
        root = self._root
        if not ATTRIBUTES.issuperset(chain.from_iterable(map(ET.Element.keys, root.iter()))):
            for element in root.iter():
                _require_usual(element, is_first=element.tag == self._path[0])

    def _learn(self, tag: object) -> None:
        if not isinstance(tag, str):
            raise BankFileRefused("a processing instruction is in the file")
        if tag != _OURS and not tag.startswith(self._prefix):
            raise BankFileRefused(f"{tag[:100]} is not of the document's namespace")
        self._names.add(tag)
        if len(self._names) > MOST_NAMES:
            raise BankFileRefused(f"more than {MOST_NAMES} different names of elements")

    def _require_small(self) -> None:
        kept = list(self._root.iter())
        if len(kept) > MOST_ELEMENTS:
            raise BankFileRefused(f"a record has more than {MOST_ELEMENTS} elements")
        if sum(len(element.text or "") for element in kept) > MOST_CHARACTERS:
            raise BankFileRefused(f"a record has more than {MOST_CHARACTERS} characters")
        depth, node = 0, self._root
        while len(node):
            depth, node = depth + 1, node[-1]
            if depth > DEEPEST:
                raise BankFileRefused(f"more than {DEEPEST} elements lie within each other")

    def _require_nothing_beside(self) -> None:
        """One document with one message."""
        body, document = self.body, self._root[0]
        if len(self._root) != 1 or len(document) != 1 or body is not document[0]:
            raise BankFileRefused("there is more than one message in the document")


def _require_utf8(head: bytes) -> None:
    """The only encoding of the standard. UTF-16 betrays itself by zeros and by its mark."""
    text = head.removeprefix(_BYTE_ORDER_MARK)
    declared = _ENCODING.match(text)
    is_other = declared and declared[1].lower() not in (b"utf-8", b"us-ascii")
    if b"\0" in head or head.startswith((b"\xfe\xff", b"\xff\xfe")) or is_other:
        raise BankFileRefused("the file is not in UTF-8")


def _require_usual(element: ET.Element, *, is_first: bool) -> None:
    for name in element.keys():  # noqa: SIM118 - an element is no mapping
        if name not in ATTRIBUTES and not (is_first and name.startswith(_SCHEMA_ATTRIBUTE)):
            raise BankFileRefused(f"{_local(element.tag)} has an attribute {name[:50]!r}")


def _require_blank(text: str | None, parent: ET.Element) -> None:
    if text and not text.isspace():
        raise BankFileRefused(f"there is text between the elements of {_local(parent.tag)}")


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
