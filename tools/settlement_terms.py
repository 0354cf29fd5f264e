"""When and where merchants are paid, and on which days banks are closed: look at it, change it.

    python -m tools.settlement_terms --database-url URL show MERCHANT
    python -m tools.settlement_terms --database-url URL set MERCHANT EUR --frequency monthly …
    python -m tools.settlement_terms --database-url URL account MERCHANT EUR --holder … --iban …
    python -m tools.settlement_terms --database-url URL holidays NO --add 2027-05-17 "17. mai"

MERCHANT is an id, mer_…. What `set` does not name stays as it is. docs/settlement/merchants.md
tells more.
"""

import argparse
import datetime as dt
import sys
from collections.abc import Callable, Mapping
from typing import Any

from paynexus import ids, jsontext
from paynexus.clock import system_clock
from paynexus.db import Database
from paynexus.errors import InvalidRequest
from paynexus.ids import MerchantId
from paynexus.observability import logger
from paynexus.settlement.bank.messages import Address, BankAccount
from paynexus.settlement.merchant import views
from paynexus.settlement.merchant.agreements import service
from paynexus.settlement.terms import Frequency
from tools.running import run

TERMS = (
    *("frequency", "weekday", "month_day", "cutoff_time", "time_zone", "calendar"),
    *("minimum_amount", "reserve_basis_points", "reserve_days"),
)
"""What `set` takes."""


def main(arguments: list[str] | None = None) -> int:
    """Do what was asked; an exit status other than 0 says why not."""
    asked = _parser().parse_args(arguments)
    return run(asked.database_url, lambda database: _DO[asked.what](database, asked))


def _show(database: Database, asked: argparse.Namespace) -> None:
    for currency, terms in service.terms_of(database, _merchant(asked)).items():
        print(jsontext.write(views.agreed(currency, terms)))


def _set(database: Database, asked: argparse.Namespace) -> None:
    changes = {name: getattr(asked, name) for name in TERMS if getattr(asked, name) is not None}
    if not changes:
        raise InvalidRequest(f"Name what changes: --{', --'.join(TERMS)}.".replace("_", "-"))
    terms = service.change_terms(database, _merchant(asked), asked.currency, changes)
    logger.warning("settlement terms changed", merchant=asked.merchant, currency=asked.currency)
    print(jsontext.write(views.agreed(asked.currency, terms)))


def _account(database: Database, asked: argparse.Namespace) -> None:
    address = None
    if asked.town or asked.country:
        parts = (asked.street, asked.building, asked.postcode)
        address = Address(*parts, asked.town or "", asked.country or "")
    account = service.change_payout_account(
        database,
        _merchant(asked),
        asked.currency,
        BankAccount(asked.holder, asked.iban, asked.bic, address),
        now=system_clock(),
    )
    logger.warning("payout account changed", merchant=asked.merchant, currency=asked.currency)
    shown = {"holder": account.holder, "iban": account.iban, "bic": account.bic}
    print(jsontext.write(views.payout_account(shown)))


def _holidays(database: Database, asked: argparse.Namespace) -> None:
    if asked.add:
        day, name = asked.add
        service.add_holidays(database, asked.calendar, [(_day(day), name)])
        logger.warning("bank holiday added", calendar=asked.calendar, day=day)
    for day, name in service.holidays(database, asked.calendar):
        print(f"{day}\t{name}")


def _merchant(asked: argparse.Namespace) -> MerchantId:
    try:
        return MerchantId(ids.parse("mer", asked.merchant))
    except ValueError as error:
        raise InvalidRequest(f"merchant: {error}") from None


def _day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise InvalidRequest(f"{text}: write a day such as 2027-05-17") from None


_DO: Mapping[str, Callable[[Database, argparse.Namespace], None]] = {
    "show": _show,
    "set": _set,
    "account": _account,
    "holidays": _holidays,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.settlement_terms", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--database-url", required=True)
    what = parser.add_subparsers(dest="what", required=True)
    what.add_parser("show", help="what holds, by currency").add_argument("merchant")
    _add_terms(_of_a_currency(what.add_parser("set", help="what is agreed from now on")))
    _add_account(_of_a_currency(what.add_parser("account", help="where a merchant is paid")))
    holidays = what.add_parser("holidays", help="a calendar's days on record")
    holidays.add_argument("calendar")
    holidays.add_argument("--add", nargs=2, metavar=("DAY", "NAME"))
    return parser


def _of_a_currency(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("merchant")
    parser.add_argument("currency")
    return parser


def _add_terms(parser: argparse.ArgumentParser) -> None:
    kinds: dict[str, Any] = {"cutoff_time": _time, "time_zone": str, "calendar": str}
    parser.add_argument("--frequency", choices=[one.value for one in Frequency])
    for name in TERMS[1:]:
        parser.add_argument(f"--{name.replace('_', '-')}", type=kinds.get(name, int))


def _time(text: str) -> dt.time:
    return dt.time.fromisoformat(text)


def _add_account(parser: argparse.ArgumentParser) -> None:
    for name in ("holder", "iban"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("bic", "street", "building", "postcode", "town", "country"):
        parser.add_argument(f"--{name}")


if __name__ == "__main__":
    sys.exit(main())
