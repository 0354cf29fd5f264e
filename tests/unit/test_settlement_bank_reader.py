"""The files a bank sends are taken for what they say: each kind of message, in each version."""

import datetime as dt
import io
from itertools import islice

import pytest

from paynexus.errors import BankFileRefused
from paynexus.money import Money
from paynexus.settlement.bank import entries, reader, stream
from paynexus.settlement.bank.messages import Entry, Part, PaymentStatus, Record, Statement

CAMT_053 = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"
HOUSE = "NL41MOCK0000000001"
TODAY = dt.date(2026, 11, 23)
HEAD = "<GrpHdr><MsgId>S-1</MsgId><CreDtTm>2026-11-23T23:59:59+01:00</CreDtTm></GrpHdr>"
ACCOUNT = f"<Acct><Id><IBAN>{HOUSE}</IBAN></Id><Ccy>EUR</Ccy></Acct>"


def _read(document: str) -> list[Record]:
    return list(reader.read(io.BytesIO(document.encode())).records())


def _document(kind: str, body: str) -> str:
    return f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:{kind}">{body}</Document>'


def _statement(inside: str, kind: str = "camt.053.001.08", account: str = ACCOUNT) -> str:
    body, head = {
        "camt.052": ("BkToCstmrAcctRpt", "Rpt"),
        "camt.053": ("BkToCstmrStmt", "Stmt"),
        "camt.054": ("BkToCstmrDbtCdtNtfctn", "Ntfctn"),
    }[kind[:8]]
    return _document(kind, f"<{body}>{HEAD}<{head}>{account}{inside}</{head}></{body}>")


def _entry(details: str = "", *, amount: str = "30.00", **parts: str) -> str:
    told = {
        "CdtDbtInd": "<CdtDbtInd>DBIT</CdtDbtInd>",
        "RvslInd": "",
        "Sts": "<Sts><Cd>BOOK</Cd></Sts>",
        "BookgDt": "<BookgDt><DtTm>2026-11-23T23:59:59+01:00</DtTm></BookgDt>",
        "ValDt": "",
        "AcctSvcrRef": "<AcctSvcrRef>B-1</AcctSvcrRef>",
        "BkTxCd": "",
    } | parts
    return (
        f'<Ntry><Amt Ccy="EUR">{amount}</Amt>{"".join(told.values())}'
        f"<NtryDtls>{details}</NtryDtls></Ntry>"
    )


def _payment(reference: str, amount: str | None = None, *, more: str = "") -> str:
    own = f'<Amt Ccy="EUR">{amount}</Amt>' if amount else ""
    return f"<TxDtls><Refs><EndToEndId>{reference}</EndToEndId></Refs>{own}{more}</TxDtls>"


def _only(document: str) -> Entry:
    [entry] = [record for record in _read(document) if isinstance(record, Entry)]
    return entry


def _balance(code: str, amount: str, side: str, day: str = "2026-11-23") -> str:
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>"
        f'<Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>{side}</CdtDbtInd><Dt><Dt>{day}</Dt></Dt></Bal>'
    )


def test_the_head_says_which_message_it_is() -> None:
    """Kind, id and time of the file, before any record is read."""
    header = reader.read(io.BytesIO(_statement(_entry()).encode())).header

    assert (header.kind, header.message_id) == ("camt.053", "S-1")
    assert header.created_at == dt.datetime(2026, 11, 23, 22, 59, 59, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("balances", "opening", "closing"),
    [
        ("", None, None),
        (_balance("OPBD", "10.50", "CRDT") + _balance("CLBD", "3.00", "DBIT"), 1050, -300),
        (_balance("PRCD", "10.50", "CRDT") + _balance("CLAV", "3.00", "CRDT"), 1050, None),
        (_balance("PRCD", "9.00", "CRDT") + _balance("OPBD", "10.50", "DBIT"), -1050, None),
        (
            _balance("OPBD", "1.00", "CRDT", "2026-11-22")
            + _balance("CLBD", "2.00", "CRDT", "2026-11-22")
            + _balance("OPBD", "2.00", "CRDT")
            + _balance("CLBD", "4.00", "CRDT"),
            100,
            400,
        ),
    ],
)
def test_a_statement_tells_its_booked_balances(
    balances: str, opening: int | None, closing: int | None
) -> None:
    """Signed minor units; over many days the first opening and the last closing."""
    number = "<ElctrncSeqNb>7</ElctrncSeqNb>"
    [head] = _read(_statement(balances, account=number + ACCOUNT))

    assert head == Statement(HOUSE, 7, TODAY, "EUR", opening, closing)


def test_statements_of_a_file_are_counted() -> None:
    """Each entry names its own statement; one without entries counts too."""
    account = "<Acct><Id><Othr><Id>4711</Id></Othr></Id></Acct>"
    second = f"<Stmt>{ACCOUNT}</Stmt><Stmt>{account}{_entry()}{_entry()}</Stmt>"
    records = _read(_statement(_entry()).replace("</Stmt>", f"</Stmt>{second}"))

    assert [type(record).__name__ for record in records] == [
        *("Statement", "Entry", "Statement", "Statement", "Entry", "Entry")
    ]
    assert [entry.statement for entry in records if isinstance(entry, Entry)] == [0, 2, 2]
    assert [head.account_iban for head in records if isinstance(head, Statement)] == [
        *(HOUSE, HOUSE, "4711")
    ]


@pytest.mark.parametrize(
    ("details", "end_to_end_id", "parts"),
    [
        ("", None, []),
        (_payment("A"), "A", []),
        (_payment("NOTPROVIDED"), None, []),
        (_payment("A", "29.00"), "A", []),
        (_payment("A", "10.00") + _payment("B", "20.00"), None, [("A", 1000), ("B", 2000)]),
        (_payment("A", "10.00") + _payment("B"), None, [("A", 1000), ("B", None)]),
    ],
)
def test_an_entry_of_several_payments_has_each_as_a_part(
    details: str, end_to_end_id: str | None, parts: list[tuple[str, int | None]]
) -> None:
    """With the amount that it states; of a single payment the entry says all itself."""
    entry = _only(_statement(_entry(details)))

    assert (entry.end_to_end_id, entry.money, entry.reference) == (
        end_to_end_id,
        Money(3000, "EUR"),
        "B-1",
    )
    assert [_told(part) for part in entry.transfers] == parts
    assert (entry.booked_on, entry.value_on, entry.is_booked) == (TODAY, TODAY, True)


_IN_DOLLARS = "<AmtDtls><InstdAmt><Amt Ccy='USD'>9.90</Amt></InstdAmt></AmtDtls>"


def _told(part: Part) -> tuple[str | None, int | None]:
    return part.end_to_end_id, part.money.amount if part.money else None


def test_a_batch_longer_than_a_chunk_is_one_entry() -> None:
    """Its parts are read as they come, over several blocks, with nothing lost at the edges."""
    payments = [_payment(f"E-{n}", "0.01") for n in range(6_000)]
    details = "".join(payments[:3_000]) + "</NtryDtls><NtryDtls>" + "".join(payments[3_000:])
    entry = _only(_statement(_entry(details)))

    assert len("".join(payments)) > 3 * stream.CHUNK_BYTES
    assert [_told(part) for part in entry.transfers] == [(f"E-{n}", 1) for n in range(6_000)]


@pytest.mark.parametrize("spread", [0, 1, 17, 4_096, stream.CHUNK_BYTES])
def test_where_a_chunk_ends_changes_nothing(spread: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records are the same, however the file falls into pieces."""
    document = _statement(
        "".join(_entry(_payment(f"A{n}") + _payment(f"B{n}", "1.00")) for n in range(20))
    )
    expected = _read(document)
    monkeypatch.setattr(stream, "CHUNK_BYTES", spread + 1)

    assert _read(document) == expected
    assert len(expected) == 21


@pytest.mark.parametrize(
    ("details", "amount"),
    [
        ("<AmtDtls><TxAmt><Amt Ccy='EUR'>9.00</Amt></TxAmt></AmtDtls>", 900),
        (
            _IN_DOLLARS.replace("</AmtDtls>", "<TxAmt><Amt Ccy='EUR'>9</Amt></TxAmt></AmtDtls>"),
            900,
        ),
        (_IN_DOLLARS, None),
        ("<Amt Ccy='USD'>9.90</Amt>", None),
    ],
)
def test_a_part_states_its_amount_where_versions_put_it(details: str, amount: int | None) -> None:
    """And only in the entry's own currency: another one is no part of its sum."""
    both = _payment("A", more=details) + _payment("B", "1.00")
    [first, _] = _only(_statement(_entry(both), "camt.053.001.02")).transfers

    assert _told(first) == ("A", amount)


@pytest.mark.parametrize(
    ("entry", "is_debit", "is_booked", "is_return", "reason"),
    [
        (_entry(_payment("A")), True, True, False, None),
        (_entry(_payment("A"), Sts="<Sts>BOOK</Sts>"), True, True, False, None),
        (_entry(_payment("A"), Sts="<Sts><Cd>PDNG</Cd></Sts>"), True, False, False, None),
        (_entry(_payment("A"), RvslInd="<RvslInd>true</RvslInd>"), True, True, True, None),
        (_entry("", RvslInd="<RvslInd>1</RvslInd>"), True, True, True, None),
        (
            _entry(
                _payment("A", more="<RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf>"),
                CdtDbtInd="<CdtDbtInd>CRDT</CdtDbtInd>",
            ),
            *(False, True, True, "AC04"),
        ),
        (
            _entry(
                BkTxCd="<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>ICDT</Cd>"
                "<SubFmlyCd>RRTN</SubFmlyCd></Fmly></Domn></BkTxCd>",
                CdtDbtInd="<CdtDbtInd>CRDT</CdtDbtInd>",
            ),
            *(False, True, True, None),
        ),
    ],
)
def test_side_status_and_return_are_told_apart(
    entry: str,
    is_debit: bool,  # noqa: FBT001
    is_booked: bool,  # noqa: FBT001
    is_return: bool,  # noqa: FBT001
    reason: str | None,
) -> None:
    """The side is where the money went now; a reversal only says that it is a way back."""
    read = _only(_statement(entry))

    assert (read.is_debit, read.is_booked, read.is_return, read.return_reason) == (
        *(is_debit, is_booked, is_return, reason),
    )


def test_all_that_is_said_in_words_is_kept() -> None:
    """Lines, references in their own fields, and the bank's remarks; and who it was."""
    said = (
        "<RltdPties><Dbtr><Pty><Nm>Acquirer NV</Nm></Pty></Dbtr>"
        "<Cdtr><Pty><Nm>PayNexus</Nm></Pty></Cdtr></RltdPties>"
        "<RmtInf><Ustrd>Payout of</Ustrd><Ustrd>Monday</Ustrd>"
        "<Strd><CdtrRefInf><Ref>RF18539007547034</Ref></CdtrRefInf></Strd></RmtInf>"
        "<AddtlTxInf>fees apart</AddtlTxInf>"
    )
    credit = "<CdtDbtInd>CRDT</CdtDbtInd>"
    entry = _only(_statement(_entry(_payment("A", more=said), CdtDbtInd=credit)))

    assert entry.remittance == "Payout of Monday RF18539007547034 fees apart"
    assert entry.counterparty == "Acquirer NV"


def test_older_versions_name_parties_without_a_layer_between() -> None:
    """camt.053.001.02: `Cdtr/Nm`, and an account where there is no name."""
    named = "<RltdPties><Cdtr><Nm>Café</Nm></Cdtr></RltdPties>"
    nameless = "<RltdPties><CdtrAcct><Id><IBAN>DE1</IBAN></Id></CdtrAcct></RltdPties>"
    found = [
        _only(_statement(_entry(_payment("A", more=more)), "camt.053.001.02")).counterparty
        for more in (named, nameless)
    ]

    assert found == ["Café", "DE1"]


def test_the_instructions_name_comes_from_the_payment_or_its_batch() -> None:
    """Our files have one batch, under the name of the file."""
    refs = "<TxDtls><Refs><MsgId>PNX-1</MsgId><EndToEndId>A</EndToEndId></Refs></TxDtls>"
    batch = "<Btch><PmtInfId>PNX-2</PmtInfId></Btch>"
    older = "<TxDtls><Refs><PmtInfId>PNX-3</PmtInfId></Refs></TxDtls>"

    assert [_only(_statement(_entry(one))).message_id for one in (refs, batch, older, "")] == [
        *("PNX-1", "PNX-2", "PNX-3", None)
    ]


@pytest.mark.parametrize("version", range(2, 15))
@pytest.mark.parametrize("kind", ["camt.052", "camt.053", "camt.054"])
def test_every_version_of_a_statement_is_read(kind: str, version: int) -> None:
    """The versions differ in what we don't read."""
    message = reader.read(
        io.BytesIO(_statement(_entry(_payment("A")), f"{kind}.001.{version:02d}").encode())
    )

    assert message.header.kind == kind
    assert [type(record) for record in message.records()] == [Statement, Entry]


GROUP = "<OrgnlGrpInfAndSts><OrgnlMsgId>PNX-1</OrgnlMsgId>{}</OrgnlGrpInfAndSts>"
REJECTED = "<StsRsnInf><Rsn><Cd>AC04</Cd></Rsn><AddtlInf>closed</AddtlInf></StsRsnInf>"


def _payments(*statuses: str, block: str = "") -> str:
    return (
        f"<OrgnlPmtInfAndSts><OrgnlPmtInfId>PNX-1</OrgnlPmtInfId>{block}"
        + "".join(
            f"<TxInfAndSts><OrgnlEndToEndId>SET-{n}</OrgnlEndToEndId>{status}</TxInfAndSts>"
            for n, status in enumerate(statuses)
        )
        + "</OrgnlPmtInfAndSts>"
    )


@pytest.mark.parametrize("version", ["03", "09", "10", "12", "14"])
@pytest.mark.parametrize(
    ("group", "blocks", "expected"),
    [
        ("<GrpSts>ACCP</GrpSts>", "", [(None, "ACCP", None, None)]),
        ("<GrpSts>RJCT</GrpSts>" + REJECTED, "", [(None, "RJCT", "AC04", "closed")]),
        (
            "<GrpSts>PART</GrpSts>",
            _payments("<TxSts>ACCP</TxSts>", "<TxSts>RJCT</TxSts>" + REJECTED),
            [("SET-0", "ACCP", None, None), ("SET-1", "RJCT", "AC04", "closed")],
        ),
        ("", _payments(block="<PmtInfSts>ACTC</PmtInfSts>"), [(None, "ACTC", None, None)]),
        (
            "",
            _payments("", block="<PmtInfSts>ACSP</PmtInfSts>"),
            [("SET-0", "ACSP", None, None)],
        ),
        ("<GrpSts>ACCP</GrpSts>", _payments(""), [("SET-0", "ACCP", None, None)]),
        ("<GrpSts>ACCP</GrpSts>", _payments(), [(None, "ACCP", None, None)]),
    ],
)
def test_a_status_report_speaks_of_what_it_names(
    version: str,
    group: str,
    blocks: str,
    expected: list[tuple[str | None, str, str | None, str | None]],
) -> None:
    """Payments, else their block, else the file; what one leaves out, the next above it says."""
    body = f"<CstmrPmtStsRpt>{HEAD}{GROUP.format(group)}{blocks}</CstmrPmtStsRpt>"

    assert _read(_document(f"pain.002.001.{version}", body)) == [
        PaymentStatus("PNX-1", *one) for one in expected
    ]


def test_a_return_message_tells_of_money_that_will_come() -> None:
    """pacs.004: an entry that isn't booked, below the account that had paid."""
    returned = (
        "<TxInf><RtrId>R-1</RtrId><OrgnlEndToEndId>SET-1</OrgnlEndToEndId>"
        '<RtrdIntrBkSttlmAmt Ccy="EUR">30.00</RtrdIntrBkSttlmAmt>'
        "<IntrBkSttlmDt>2026-11-23</IntrBkSttlmDt>"
        "<RtrRsnInf><Rsn><Cd>AC04</Cd></Rsn><AddtlInf>closed</AddtlInf></RtrRsnInf>"
        f"<OrgnlTxRef><Cdtr><Pty><Nm>Cafe</Nm></Pty></Cdtr>"
        f"<DbtrAcct><Id><IBAN>{HOUSE}</IBAN></Id></DbtrAcct></OrgnlTxRef></TxInf>"
    )
    group = "<OrgnlGrpInf><OrgnlMsgId>PNX-1</OrgnlMsgId></OrgnlGrpInf>"
    body = f"<PmtRtr>{HEAD}{group}{returned}{returned}</PmtRtr>"
    [head, first, second] = _read(_document("pacs.004.001.09", body))

    assert head == Statement(HOUSE, None, TODAY, "EUR", None, None)
    assert first == second
    assert isinstance(first, Entry)
    assert (first.message_id, first.end_to_end_id, first.return_reason) == (
        *("PNX-1", "SET-1", "AC04"),
    )
    assert (first.money, first.is_booked, first.is_return, first.counterparty) == (
        *(Money(3000, "EUR"), False, True, "Cafe"),
    )


@pytest.mark.parametrize(
    ("document", "wrong"),
    [
        (_statement(_entry(amount="30.001")), "parts of a minor unit"),
        (_statement(_entry(amount="-30.00")), "not an amount"),
        (_statement(_entry(amount="NaN")), "not an amount"),
        (_statement(_entry(amount="1e4")), "not an amount"),
        (_statement(_entry(amount="1_0.00")), "not an amount"),
        (_statement(_entry(amount="\u0663.00")), "not an amount"),
        (_statement(_entry(amount="9" * 17)), "beyond all accounts"),
        (_statement(_entry(amount="")), "not an amount"),
        (_statement(_entry().replace('Ccy="EUR"', 'Ccy="XXX"')), "unknown currency"),
        (_statement(_entry().replace('Ccy="EUR"', "")), "unknown currency"),
        (_statement(_entry().replace("2026-11-23", "2026-23-11")), "not a date"),
        (_statement(_entry(BookgDt="<BookgDt><Dt>2026-W48-1</Dt></BookgDt>")), "not a date"),
        (_statement(_entry(CdtDbtInd="<CdtDbtInd>BOTH</CdtDbtInd>")), "CRDT nor DBIT"),
        (_statement(_entry(Sts="")), "Sts is missing"),
        (_statement("<Ntry><CdtDbtInd>DBIT</CdtDbtInd></Ntry>"), "Amt is missing"),
        (_statement(_entry(), account=""), "IBAN is missing"),
        (_statement("<Ntry/>", account=ACCOUNT), "Amt is missing"),
        (_statement(_entry() + _balance("CLBD", "1.00", "CRDT")), "below Ntry"),
        (_statement("", account="<ElctrncSeqNb>x</ElctrncSeqNb>" + ACCOUNT), "sequence number"),
        (_statement(_entry(_payment("A" * 1_001))), "more than 1000 characters"),
        (_statement(_entry()).replace(HEAD, ""), "GrpHdr is missing"),
        (
            _statement(_entry()).replace("2026-11-23T23:59:59+01:00</CreDtTm>", "x</CreDtTm>"),
            "time",
        ),
        (_document("camt.053.001.08", ""), "no BkToCstmrStmt"),
        (_document("camt.053.001.01", f"<BkToCstmrStmtV01>{HEAD}</BkToCstmrStmtV01>"), "no BkTo"),
        (_document("camt.053.001.08", f"<BkToCstmrAcctRpt>{HEAD}</BkToCstmrAcctRpt>"), "no BkTo"),
        (_document("pain.001.001.09", "<CstmrCdtTrfInitn/>"), "not a message that the bank"),
        (
            _document("pain.002.001.10", f"<CstmrPmtStsRpt>{HEAD}</CstmrPmtStsRpt>"),
            "OrgnlGrpInfAndSts is missing",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(document: str, wrong: str) -> None:
    """A missing part, an impossible value: refused in words."""
    with pytest.raises(BankFileRefused, match=wrong):
        _read(document)


def test_a_fault_late_in_the_file_is_refused_too() -> None:
    """After the records before it were given; the refusal says how many they were."""
    document = _statement(_entry() * 700 + _entry(amount="0.001"))
    records = reader.read(io.BytesIO(document.encode())).records()
    given = list(islice(records, 701))

    with pytest.raises(BankFileRefused, match="after record 701: an amount in parts of a minor"):
        next(records)
    assert len(given) == 701


def test_an_entry_of_too_many_payments_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are kept until the entry ends, so there is a limit to them."""
    monkeypatch.setattr(reader, "MOST_PARTS", 100)
    monkeypatch.setattr(stream, "CHUNK_BYTES", 1_000)
    with pytest.raises(BankFileRefused, match="more than 100 payments"):
        _read(_statement(_entry("".join(_payment(f"E-{n}") for n in range(110)))))

    assert entries.MOST_PARTS > 100
