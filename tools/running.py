"""How a tool that works on the database runs and ends."""

import sys
from collections.abc import Callable

from paynexus.db import Database
from paynexus.errors import PayNexusError


def run(database_url: str, act: Callable[[Database], None]) -> int:
    """It was acted, and the exit status is 0; or the reason why not is on stderr, and it is 1."""
    database = Database(lambda: database_url)
    try:
        act(database)
    except PayNexusError as error:
        print(error.detail, file=sys.stderr)
        return 1
    finally:
        database.close()
    return 0
