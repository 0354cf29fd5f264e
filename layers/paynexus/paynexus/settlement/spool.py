"""Room for one file: in memory while it is small, on the disk when it is not."""

import tempfile
from typing import BinaryIO, cast

SPOOLED_BYTES = 4 << 20
"""What of a file is held in memory."""


def spool() -> BinaryIO:
    """An empty file, for the caller to close: it is gone then."""
    file = tempfile.SpooledTemporaryFile(SPOOLED_BYTES)  # noqa: SIM115 - the caller closes it
    return cast("BinaryIO", file)
