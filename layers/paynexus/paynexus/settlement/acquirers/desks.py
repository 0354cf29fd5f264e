"""Gateways that hand out their settlement files over HTTP."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import BinaryIO

from paynexus.errors import BankUnavailable
from paynexus.gateways.outcomes import Failure
from paynexus.gateways.wire import download
from paynexus.settlement.acquirers.model import LARGEST_FILE_BYTES
from paynexus.settlement.spool import spool

FILE_SECONDS = 60.0
"""How long a gateway may take to hand out one file."""


class SandboxDesk:
    """The sandbox acquirer's `GET /v1/settlement-file` (docs/sandbox.md)."""

    def __init__(self, url: str, *, api_key: str, name: str = "sandbox") -> None:
        self.name = name
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {api_key}"}

    @contextmanager
    def file_of(self, day: dt.date) -> Iterator[BinaryIO]:
        """The file of the day (UTC), from its start; BankUnavailable when it can't be had."""
        with spool() as file:
            answer = download(
                f"{self._url}/v1/settlement-file?date={day.isoformat()}",
                headers=self._headers,
                into=file,
                bytes_max=LARGEST_FILE_BYTES,
                deadline_seconds=FILE_SECONDS,
            )
            if answer != HTTPStatus.OK:
                why = answer.code if isinstance(answer, Failure) else f"gateway_status_{answer}"
                raise BankUnavailable(f"{self.name} gave no settlement file of {day}: {why}")
            file.seek(0)
            yield file
