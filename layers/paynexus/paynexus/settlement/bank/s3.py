"""A bank that is spoken to through two folders of an S3 bucket."""

import tempfile
from collections.abc import Iterable
from contextlib import closing
from typing import TYPE_CHECKING, BinaryIO, cast

from botocore.exceptions import BotoCoreError, ClientError

from paynexus.errors import BankFileRefused, BankUnavailable
from paynexus.settlement.bank.port import LARGEST_FILE_BYTES

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

OUTBOX = "outbox/"
INBOX = "inbox/"
CHUNK_BYTES = 1 << 20
"""Read from S3 at a time."""
SPOOLED_BYTES = 4 << 20
"""A longer file lies on the disk while it is read, so that memory doesn't grow with it."""


class S3Bank:
    """The bank's outbox and inbox as two folders of a bucket, which a courier empties and fills.

    In the cloud the courier is AWS Transfer Family, on a laptop `tools.bank_courier`.
    """

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def instruct(self, name: str, document: bytes) -> None:
        """The file lies under `outbox/` with this name."""
        try:
            self._client.put_object(
                Bucket=self._bucket,
                Key=f"{OUTBOX}{name}",
                Body=document,
                ContentType="application/xml",
            )
        except (BotoCoreError, ClientError) as error:
            raise BankUnavailable("the bank's outbox can't be written") from error

    def receive(self, name: str) -> BinaryIO:
        """The object of this key below `inbox/`, refused before its body when it is too large."""
        if not name.startswith(INBOX):
            raise BankFileRefused(f"{name[:100]!r} did not come from the bank's inbox")
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=name)
            with closing(answer["Body"]) as body:
                if answer["ContentLength"] > LARGEST_FILE_BYTES:
                    raise BankFileRefused(f"the file is larger than {LARGEST_FILE_BYTES} bytes")
                return _spooled(body.iter_chunks(CHUNK_BYTES))
        except self._client.exceptions.NoSuchKey as error:
            raise BankFileRefused(f"there is no file {name[:100]!r}") from error
        except (BotoCoreError, ClientError) as error:
            raise BankUnavailable("the bank's inbox can't be read") from error


def _spooled(chunks: Iterable[bytes]) -> BinaryIO:
    file = tempfile.SpooledTemporaryFile(SPOOLED_BYTES)  # noqa: SIM115 - the caller closes it
    try:
        file.writelines(chunks)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return cast("BinaryIO", file)
