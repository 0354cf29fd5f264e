"""Bank files that were made to hurt: by entities, names, encodings, and sheer size."""

import codecs
from collections.abc import Callable, Mapping
from functools import partial

KIND = "camt.053.001.08"
NAMESPACE = f"urn:iso:std:iso:20022:tech:xsd:{KIND}"
DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
CUTS = 100
"""Places where a file is cut short."""
HUGE = 50_000_000 - 2_000
"""Bytes of the one thing that fills a file up to the largest that is read."""
MILLION = 1_000_000


def good(entries: int, *, inside: str = "") -> bytes:
    """A statement of so many entries, and what else is to stand below them."""
    booked = "".join(
        f'<Ntry><Amt Ccy="EUR">1.00</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>'
        f"<BookgDt><Dt>2026-11-23</Dt></BookgDt><AcctSvcrRef>B-{n}</AcctSvcrRef><NtryDtls><TxDtls>"
        f"<Refs><EndToEndId>SET-{n}</EndToEndId></Refs></TxDtls></NtryDtls></Ntry>\n"
        for n in range(entries)
    )
    return (
        f'{DECLARATION}<Document xmlns="{NAMESPACE}"><BkToCstmrStmt><GrpHdr><MsgId>S-1</MsgId>'
        "<CreDtTm>2026-11-23T23:59:59Z</CreDtTm></GrpHdr><Stmt><Id>S-1</Id><Acct><Id>"
        "<IBAN>NL41MOCK0000000001</IBAN></Id><Ccy>EUR</Ccy></Acct>"
        f"{booked}{inside}</Stmt></BkToCstmrStmt></Document>"
    ).encode()


def cut(document: bytes, place: int) -> bytes:
    """The document up to this of the CUTS places, its last byte among them."""
    return document[: (len(document) - 1) * (place + 1) // CUTS]


def _changed(old: str, new: str) -> bytes:
    document = good(3)
    assert old.encode() in document
    return document.replace(old.encode(), new.encode())


def _with_dtd(dtd: str, used: str = "") -> bytes:
    return _changed(DECLARATION, DECLARATION + dtd).replace(b"SET-1", used.encode() or b"SET-1")


def _laughs() -> bytes:
    entities = "".join(
        f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' if n else '<!ENTITY l0 "ha">' for n in range(10)
    )
    return _with_dtd(f"<!DOCTYPE Document [{entities}]>", "&l9;")


def _quadratic() -> bytes:
    entity = f'<!DOCTYPE Document [<!ENTITY a "{"a" * 100_000}">]>'
    return _with_dtd(entity, "&a;" * 20_000)


def _filled(before: str, unit: str, after: str = "", *, size: int = HUGE) -> bytes:
    return good(3, inside=before + unit * (size // len(unit)) + after)


def _names() -> bytes:
    return good(3, inside="".join(f"<n{n}/>" for n in range(MILLION)))


def _attributes() -> bytes:
    return good(3, inside="".join(f'<n a{n}=""/>' for n in range(MILLION)))


def _hidden_utf7() -> bytes:
    return _changed("UTF-8", "UTF-7").replace(b"SET-1", b"+ADwAIQ-ENTITY")


ABUSES: Mapping[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "blanks": lambda: b" \n" * 1_000,
    "no XML": lambda: b"not xml",
    "zeros": lambda: b"\0" * MILLION,
    # Entities and DTDs.
    "external entity": partial(
        _with_dtd, '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]>', "&x;"
    ),
    "external entity by network": partial(
        _with_dtd, '<!DOCTYPE d [<!ENTITY x SYSTEM "http://127.0.0.1:1/x">]>', "&x;"
    ),
    "external DTD": partial(_with_dtd, '<!DOCTYPE d SYSTEM "http://127.0.0.1:1/x.dtd">'),
    "external DTD, public": partial(_with_dtd, '<!DOCTYPE d PUBLIC "-//x" "http://[::1]:1/x">'),
    "parameter entity": partial(
        _with_dtd, '<!DOCTYPE d [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]>'
    ),
    "parameter entity, internal": partial(
        _with_dtd, "<!DOCTYPE d [<!ENTITY % p \"<!ENTITY e 'x'>\"> %p;]>", "&e;"
    ),
    "default attribute by DTD": partial(_with_dtd, '<!DOCTYPE d [<!ATTLIST Amt Ccy CDATA "USD">]>'),
    "empty DTD": partial(_with_dtd, "<!DOCTYPE Document>"),
    "DTD behind a comment": partial(_with_dtd, f"<!--{'x' * 50_000}--><!DOCTYPE Document []>"),
    "DTD behind more than is looked at": partial(
        _with_dtd, f"<!--{'x' * 100_000}--><!DOCTYPE Document []>"
    ),
    "DTD within the document": partial(_changed, "<Stmt>", "<!DOCTYPE d []><Stmt>"),
    "undeclared entity": partial(_changed, "SET-1", "&nbsp;"),
    "billion laughs": _laughs,
    "quadratic blow-up": _quadratic,
    # Namespaces and shape.
    "wrong namespace": partial(_changed, NAMESPACE, "urn:example:camt.053.001.08"),
    "namespace of what we write": partial(_changed, KIND, "pain.001.001.09"),
    "namespace and a blank": partial(_changed, NAMESPACE, NAMESPACE + " "),
    "no namespace": partial(_changed, f' xmlns="{NAMESPACE}"', ""),
    "namespace left": partial(_changed, "<Ntry>", '<Ntry xmlns="">'),
    "two versions mixed": partial(
        _changed, "<Ntry>", f'<Ntry xmlns="{NAMESPACE.replace("08", "02")}">'
    ),
    "foreign element": partial(_changed, "<Ntry>", '<Ntry><x:Amt xmlns:x="urn:x">9</x:Amt>'),
    "foreign attribute": partial(_changed, "<Ntry>", '<Ntry x:a="1" xmlns:x="urn:x">'),
    "two roots": lambda: good(3) + good(3).removeprefix(DECLARATION.encode()),
    "two messages": partial(_changed, "</Document>", "<BkToCstmrStmt></BkToCstmrStmt></Document>"),
    "text after the end": lambda: good(3) + b"x",
    "text between entries": partial(_changed, "</Ntry>", "</Ntry>1.00"),
    # Encodings.
    "Latin-1 under the name of UTF-8": lambda: good(3).replace(b"SET-1", b"S\xe9T"),
    "overlong UTF-8": lambda: good(3).replace(b"SET-1", b"\xc0\xbcx"),
    "surrogate": lambda: good(3).replace(b"SET-1", b"\xed\xa0\x80"),
    "control character": partial(_changed, "SET-1", "&#8;"),
    "UTF-7": _hidden_utf7,
    "unknown encoding": partial(_changed, "UTF-8", "x-klingon"),
    "EBCDIC": partial(_changed, "UTF-8", "cp037"),
    "UTF-16": lambda: good(3).decode().replace("UTF-8", "UTF-16").encode("utf-16"),
    "UTF-16 without a mark": lambda: good(3).decode().encode("utf-16-le"),
    "UTF-16 mark before UTF-8": lambda: codecs.BOM_UTF16_BE + good(3),
    "UTF-16, 50 MB of blanks": lambda: codecs.BOM_UTF16_LE + b" \0" * (HUGE // 2),
    "UTF-32": lambda: good(3).decode().encode("utf-32"),
    # Instructions, comments and CDATA.
    "processing instruction": partial(_changed, "<Ntry>", "<?php system('x') ?><Ntry>"),
    "processing instruction before all": partial(
        _changed, DECLARATION, DECLARATION + '<?xml-stylesheet href="http://127.0.0.1:1/x"?>'
    ),
    "processing instruction in an amount": partial(_changed, ">1.00<", ">1<?x?>.00<"),
    "entry in CDATA": partial(_changed, "<Ntry>", "<![CDATA[<Ntry>]]><Ntry>"),
    "markup in CDATA in an amount": partial(_changed, ">1.00<", "><![CDATA[<b>1</b>]]>.00<"),
    "CDATA without an end": partial(_changed, "SET-1", "<![CDATA[x"),
    "CDATA's end alone": partial(_changed, "SET-1", "]]>"),
    # Size.
    "50 MB of one text": partial(_filled, "<AddtlStmtInf>", "x", "</AddtlStmtInf>"),
    "50 MB of one text in an entry": partial(
        _filled, "<Ntry><AddtlNtryInf>", "x", "</AddtlNtryInf></Ntry>"
    ),
    "50 MB of one CDATA": partial(_filled, "<Id><![CDATA[", "x", "]]></Id>"),
    "50 MB of one attribute": partial(_filled, '<Id Ccy="', "x", '"/>'),
    "50 MB of one name": partial(_filled, "<", "x", "/>"),
    "50 MB of one comment": partial(_filled, "<!--", "x", "-->"),
    "50 MB before the first element": lambda: b"<!--" + b"x" * HUGE + b"-->" + good(3),
    "50 MB of blanks between entries": partial(_filled, "", " "),
    "50 MB of empty elements": partial(_filled, "", "<Id/>"),
    "50 MB of small texts": partial(_filled, "", "<Id>0123456789012345678901234567890</Id>"),
    "50 MB in one entry": partial(_filled, "<Ntry>", "<Id>x</Id>", "</Ntry>"),
    "50 MB of empty payments": partial(
        _filled,
        '<Ntry><Amt Ccy="EUR">1</Amt><CdtDbtInd>DBIT</CdtDbtInd><NtryDtls>',
        "<TxDtls/>",
        "</NtryDtls></Ntry>",
    ),
    "a million elements within each other": lambda: good(3, inside="<Id>" * MILLION),
    "a million closed ones within each other": lambda: good(
        3, inside="<Id>" * MILLION + "</Id>" * MILLION
    ),
    "a million names": _names,
    "a million attributes": _attributes,
}
"""Each by its name, made when it is asked for."""
