"""Files that banks and gateways leave and find in the folders of an S3 bucket."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, BinaryIO

from botocore.exceptions import BotoCoreError, ClientError

from paynexus.errors import BankFileRefused, BankUnavailable
from paynexus.settlement.spool import spool

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CHUNK_BYTES = 1 << 20
"""Read from S3 at a time."""


class Bucket:
    """A bucket; BankUnavailable, naming the `folder`, when it can't be reached."""

    def __init__(self, client: "S3Client", name: str) -> None:
        self._client = client
        self._name = name

    def put(self, key: str, body: bytes | BinaryIO, *, content_type: str, folder: str) -> None:
        """The file lies there, whatever lay there before."""
        with _reachable(f"{folder} can't be written"):
            self._client.put_object(Bucket=self._name, Key=key, Body=body, ContentType=content_type)

    def get(self, key: str, *, bytes_max: int, folder: str) -> BinaryIO:
        """The file, at its start, for the caller to close.

        BankFileRefused for one that is not there, or, before its body is read, too large.
        """
        with ExitStack() as undone, _reachable(f"{folder} can't be read"):
            file = undone.enter_context(spool())
            self._read(key, file, bytes_max)
            file.seek(0)
            undone.pop_all()
            return file

    def _read(self, key: str, into: BinaryIO, bytes_max: int) -> None:
        try:
            answer = self._client.get_object(Bucket=self._name, Key=key)
        except self._client.exceptions.NoSuchKey as error:
            raise BankFileRefused(f"there is no file {key[:100]!r}") from error
        with closing(answer["Body"]) as body:
            if answer["ContentLength"] > bytes_max:
                raise BankFileRefused(f"the file is larger than {bytes_max} bytes")
            into.writelines(body.iter_chunks(CHUNK_BYTES))


@contextmanager
def _reachable(otherwise: str) -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise BankUnavailable(otherwise) from error
