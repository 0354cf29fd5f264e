"""Breaks: what banks and gateways say otherwise than our books. Look at them, and resolve them.

    python -m tools.breaks --database-url URL list [--type T] [--status S] [--mode M]
    python -m tools.breaks --database-url URL show BREAK
    python -m tools.breaks --database-url URL assign BREAK --to NAME
    python -m tools.breaks --database-url URL propose BREAK --by NAME --because TEXT
        [--debit ACCOUNT --credit ACCOUNT [--amount N] [--beyond]]
    python -m tools.breaks --database-url URL approve BREAK --by NAME
    python -m tools.breaks --database-url URL refuse BREAK --by NAME --because TEXT

One person proposes, another approves. Without accounts a proposal is an explanation; with them a
transfer of `--amount` minor units (all that the break is about, unless given) from the credit to
the debit account. An ACCOUNT is a type of the chart of accounts; a merchant's is
merchant_payable:mer_…, or merchant_payable alone where the break names its merchant.
"""

import argparse
import json
import sys
from collections.abc import Iterable

from paynexus import ids
from paynexus.clock import system_clock
from paynexus.db import Database
from paynexus.errors import InvalidRequest
from paynexus.identity.model import Mode
from paynexus.ids import MerchantId
from paynexus.ledger.accounts import AccountType
from paynexus.observability import logger
from paynexus.settlement.breaks import policies, service
from paynexus.settlement.breaks.model import (
    Break,
    BreakId,
    BreakStatus,
    BreakType,
    Correction,
    Resolution,
    Side,
    object_id,
)
from tools.running import run

TITLES = (
    *("break", "type", "status", "severity", "due", "mode", "amount", "currency"),
    *("policy", "assignee", "subject"),
)

type Asked = argparse.Namespace


def main(arguments: list[str] | None = None) -> int:
    """Do what was asked; an exit status other than 0 says why not."""
    asked = _parser().parse_args(arguments)
    return run(asked.database_url, lambda database: _act(database, asked))


def _act(database: Database, asked: Asked) -> None:
    for line in _DO[asked.what](database, asked):
        print(line)
    if "by" in asked:
        logger.warning(f"break: {asked.what}", extra={"break": asked.of, "who": asked.by})


def _list(database: Database, asked: Asked) -> Iterable[str]:
    found = service.listing(database, type=asked.type, status=asked.status, mode=asked.mode)
    yield "\t".join(TITLES)
    for broken in found:
        yield "\t".join(_cells(broken))


def _cells(broken: Break) -> Iterable[str]:
    policy = policies.POLICIES[broken.policy]
    due = broken.due_at.isoformat(timespec="minutes")
    yield from (object_id(broken.id), broken.type, broken.status, policy.severity, due)
    yield from (broken.mode, str(broken.amount), broken.currency, broken.policy)
    yield from (broken.assignee or "-", broken.subject)


def _show(database: Database, asked: Asked) -> Iterable[str]:
    file = service.find(database, asked.of)
    yield from (f"{title}: {cell}" for title, cell in zip(TITLES, _cells(file.broken), strict=True))
    yield f"opened: {file.broken.opened_at.isoformat(timespec='minutes')}"
    if file.broken.merchant_id is not None:
        yield f"merchant: {ids.text('mer', file.broken.merchant_id)}"
    yield f"details: {json.dumps(dict(file.broken.details), ensure_ascii=False)}"
    for proposal in file.resolutions:
        yield from _shown(proposal, file.broken)
    if file.broken.resolution is not None:
        yield f"resolution: {file.broken.resolution}"
    if file.broken.transfer_id is not None:
        yield f"transfer: {file.broken.transfer_id}"


def _shown(proposal: Resolution, broken: Break) -> Iterable[str]:
    move = _move(proposal, broken.currency)
    yield f"proposed by {proposal.proposed_by}: {move}, because {proposal.because}"
    if proposal.decided_by is not None:
        decision = "approved" if proposal.is_approved else f"refused, because {proposal.decision}"
        yield f"  {decision} by {proposal.decided_by}"


def _move(proposal: Resolution, currency: str) -> str:
    correction = proposal.correction
    if correction is None:
        return "an explanation, no transfer"
    debit, credit = _named(correction.debit), _named(correction.credit)
    return f"debit {debit}, credit {credit}, {correction.amount} {currency} minor units"


def _named(side: Side) -> str:
    return (
        side.type
        if side.merchant_id is None
        else f"{side.type}:{ids.text('mer', side.merchant_id)}"
    )


def _assign(database: Database, asked: Asked) -> Iterable[str]:
    service.assign(database, asked.of, assignee=asked.to)
    yield f"assigned to {asked.to}"


def _propose(database: Database, asked: Asked) -> Iterable[str]:
    correction = _correction(service.find(database, asked.of).broken, asked)
    service.propose(
        database,
        asked.of,
        correction,
        by=asked.by,
        because=asked.because,
        now=system_clock(),
        is_more_allowed=asked.beyond,
    )
    yield "proposed: another person approves or refuses"


def _correction(broken: Break, asked: Asked) -> Correction | None:
    given = [asked.debit, asked.credit]
    if given == [None, None]:
        if asked.amount is not None or asked.beyond:
            raise InvalidRequest(
                "--amount and --beyond are of a transfer: give --debit and --credit"
            )
        return None
    if None in given:
        raise InvalidRequest("a transfer has two accounts: give both --debit and --credit")
    debit, credit = (_of_merchant(side, broken) for side in given)
    return Correction(debit, credit, abs(broken.amount) if asked.amount is None else asked.amount)


def _of_merchant(side: Side, broken: Break) -> Side:
    if side.type is AccountType.MERCHANT_PAYABLE and side.merchant_id is None:
        return Side(side.type, broken.merchant_id)
    return side


def _approve(database: Database, asked: Asked) -> Iterable[str]:
    broken = service.approve(database, asked.of, by=asked.by, now=system_clock()).broken
    yield "resolved" if broken.transfer_id is None else f"resolved by transfer {broken.transfer_id}"


def _refuse(database: Database, asked: Asked) -> Iterable[str]:
    service.refuse(database, asked.of, by=asked.by, because=asked.because, now=system_clock())
    yield "refused: the break is open again"


_DO = {
    "list": _list,
    "show": _show,
    "assign": _assign,
    "propose": _propose,
    "approve": _approve,
    "refuse": _refuse,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.breaks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--database-url", required=True)
    what = parser.add_subparsers(dest="what", required=True)
    listing = what.add_parser("list", help="unresolved breaks, the most urgent first")
    listing.add_argument("--type", type=BreakType, choices=list(BreakType))
    listing.add_argument("--status", type=BreakStatus, choices=list(BreakStatus))
    listing.add_argument("--mode", choices=[str(mode) for mode in Mode])
    show = what.add_parser("show", help="one break with all that was proposed about it")
    assign = what.add_parser("assign", help="put it into somebody's hands")
    propose = what.add_parser("propose", help="say how to resolve it")
    approve = what.add_parser("approve", help="agree: the transfer is booked, the break resolved")
    refuse = what.add_parser("refuse", help="disagree: the break is open again")
    for one in (show, assign, propose, approve, refuse):
        one.add_argument("of", metavar="BREAK", type=_break_id, help="brk_…")
    assign.add_argument("--to", required=True, metavar="NAME")
    _add_transfer(propose)
    for one in (propose, approve, refuse):
        one.add_argument("--by", required=True, metavar="NAME", help="who says so")
    for one in (propose, refuse):
        one.add_argument("--because", required=True, metavar="TEXT", help="it is kept")
    return parser


def _add_transfer(propose: argparse.ArgumentParser) -> None:
    for side in ("--debit", "--credit"):
        propose.add_argument(side, type=_side, metavar="ACCOUNT")
    propose.add_argument("--amount", type=int, metavar="N", help="minor units")
    propose.add_argument(
        "--beyond", action="store_true", help="move more than the break is about, expressly"
    )


def _break_id(text: str) -> BreakId:
    try:
        return BreakId(ids.parse("brk", text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text}: {error}") from None


def _side(text: str) -> Side:
    kind, _, merchant = text.partition(":")
    if kind not in list(AccountType):
        known = ", ".join(AccountType)
        raise argparse.ArgumentTypeError(f"{kind}: no such account; there are {known}")
    try:
        merchant_id = MerchantId(ids.parse("mer", merchant)) if merchant else None
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{merchant}: {error}") from None
    return Side(AccountType(kind), merchant_id)


if __name__ == "__main__":
    sys.exit(main())
