"""Gateways' files in a folder of the bank's bucket."""

from typing import TYPE_CHECKING, BinaryIO

from paynexus.errors import BankFileRefused
from paynexus.settlement.acquirers.model import LARGEST_FILE_BYTES
from paynexus.settlement.acquirers.port import FOLDER
from paynexus.settlement.bucket import Bucket

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

IN_WORDS = "the gateways' folder"


class S3Shelf:
    """The folder `gateways/` of a bucket, which operators and gateways fill, too."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._bucket = Bucket(client, bucket)

    def put(self, name: str, file: BinaryIO) -> None:
        """The file lies there."""
        self._bucket.put(_key(name), file, content_type="text/csv", folder=IN_WORDS)

    def get(self, name: str) -> BinaryIO:
        """The file, at most LARGEST_FILE_BYTES long, for the caller to close."""
        return self._bucket.get(_key(name), bytes_max=LARGEST_FILE_BYTES, folder=IN_WORDS)


def _key(name: str) -> str:
    if not name.startswith(FOLDER) or ".." in name:
        raise BankFileRefused(f"{name[:100]!r} is no gateway's file")
    return name
