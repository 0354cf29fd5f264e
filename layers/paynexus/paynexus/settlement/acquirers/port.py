"""Gateways' files, as settlement sees them: kept under a name, and had of a gateway by the day."""

import datetime as dt
from contextlib import AbstractContextManager
from typing import BinaryIO, Protocol

FOLDER = "gateways/"
"""What names of gateways' files begin with."""


class Shelf(Protocol):
    """Where settlement files of gateways lie, by `gateways/<gateway>/<name>`."""

    def put(self, name: str, file: BinaryIO) -> None:
        """The file lies there, whatever lay there before; BankUnavailable when it can't."""

    def get(self, name: str) -> AbstractContextManager[BinaryIO]:
        """The file, to be read from its start, any number of times, and closed.

        BankFileRefused for one that is not there or too large, BankUnavailable when the shelf
        can't be reached.
        """


class Desk(Protocol):
    """A gateway that hands out its settlement file of each day."""

    @property
    def name(self) -> str:
        """What the gateway is called in attempts."""

    def file_of(self, day: dt.date) -> AbstractContextManager[BinaryIO]:
        """The file of the day (UTC), from its start; BankUnavailable when it can't be had."""
