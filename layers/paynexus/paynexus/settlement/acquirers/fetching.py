"""Settlement files are had of the gateways that offer them, and laid on the shelf."""

import datetime as dt
from collections.abc import Iterable

from paynexus.errors import BankUnavailable
from paynexus.observability import count, logger
from paynexus.settlement.acquirers.port import FOLDER, Desk, Shelf


def fetch(desks: Iterable[Desk], shelf: Shelf, *, day: dt.date) -> list[str]:
    """Each gateway's file of the day lies at `gateways/<gateway>/<day>.csv`; their names.

    A gateway that fails keeps none of the others from theirs; BankUnavailable names it then.
    """
    names, failed = [], []
    for desk in desks:
        name = f"{FOLDER}{desk.name}/{day.isoformat()}.csv"
        try:
            with desk.file_of(day) as file:
                shelf.put(name, file)
            names.append(name)
        except BankUnavailable as error:
            count("GatewayFileMissing")
            logger.exception("no settlement file", gateway=desk.name, reason=error.detail)
            failed.append(desk.name)
    if failed:
        raise BankUnavailable(f"no settlement file of {day} from {', '.join(failed)}")
    return names
