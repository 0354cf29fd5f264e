"""Gateways' files in a folder of the bank's bucket."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from botocore.exceptions import BotoCoreError, ClientError

from paynexus.errors import BankFileRefused, BankUnavailable
from paynexus.settlement.acquirers.model import LARGEST_FILE_BYTES
from paynexus.settlement.acquirers.spool import spooled

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FOLDER = "gateways/"


class S3Shelf:
    """The folder `gateways/` of a bucket, which operators and gateways fill, too."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put(self, name: str, file: BinaryIO) -> None:
        """The file lies there."""
        try:
            self._client.put_object(
                Bucket=self._bucket, Key=_key(name), Body=file, ContentType="text/csv"
            )
        except (BotoCoreError, ClientError) as error:
            raise BankUnavailable("the gateways' folder can't be written") from error

    @contextmanager
    def get(self, name: str) -> Iterator[BinaryIO]:
        """The file, at most LARGEST_FILE_BYTES long."""
        with spooled() as spool:
            self._read(_key(name), spool)
            spool.seek(0)
            yield spool

    def _read(self, key: str, into: BinaryIO) -> None:
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=key)
            if answer["ContentLength"] > LARGEST_FILE_BYTES:
                raise BankFileRefused(f"the file is larger than {LARGEST_FILE_BYTES} bytes")
            into.writelines(answer["Body"].iter_chunks())
        except self._client.exceptions.NoSuchKey as error:
            raise BankFileRefused(f"there is no file {key[:100]!r}") from error
        except (BotoCoreError, ClientError) as error:
            raise BankUnavailable("the gateways' folder can't be read") from error


def _key(name: str) -> str:
    if not name.startswith(FOLDER) or ".." in name:
        raise BankFileRefused(f"{name[:100]!r} is no gateway's file")
    return name
