"""Room for one file: in memory while it is small, on the disk when it is not."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

SPOOLED_BYTES = 8_000_000
"""What of a file is held in memory."""


@contextmanager
def spooled() -> Iterator[BinaryIO]:
    """An empty file, which is gone afterwards."""
    with tempfile.SpooledTemporaryFile(max_size=SPOOLED_BYTES) as spool:
        yield spool  # type: ignore[misc]  # it reads and writes as one
