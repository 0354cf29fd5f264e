"""A bank that is spoken to through two folders of an S3 bucket."""

from typing import TYPE_CHECKING, BinaryIO

from paynexus.errors import BankFileRefused
from paynexus.settlement.bank.port import LARGEST_FILE_BYTES
from paynexus.settlement.bucket import Bucket

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

OUTBOX = "outbox/"
INBOX = "inbox/"


class S3Bank:
    """The bank's outbox and inbox as two folders of a bucket, which a courier empties and fills.

    In the cloud the courier is AWS Transfer Family, on a laptop `tools.bank_courier`.
    """

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._bucket = Bucket(client, bucket)

    def instruct(self, name: str, document: bytes) -> None:
        """The file lies under `outbox/` with this name."""
        self._bucket.put(
            f"{OUTBOX}{name}",
            document,
            content_type="application/xml",
            folder="the bank's outbox",
        )

    def receive(self, name: str) -> BinaryIO:
        """The object of this key below `inbox/`, refused before its body when it is too large."""
        if not name.startswith(INBOX):
            raise BankFileRefused(f"{name[:100]!r} did not come from the bank's inbox")
        return self._bucket.get(name, bytes_max=LARGEST_FILE_BYTES, folder="the bank's inbox")
