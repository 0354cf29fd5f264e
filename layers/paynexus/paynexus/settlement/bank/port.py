"""The bank, as settlement sees it: files go out under a name, files come in under a name."""

from typing import BinaryIO, Protocol

LARGEST_FILE_BYTES = 50_000_000
"""A larger file of the bank's is refused unread."""


class Bank(Protocol):
    """A bank that is spoken to in files; it pays a message id once, however often it comes."""

    def instruct(self, name: str, document: bytes) -> None:
        """The file lies in the bank's outbox under this name, whatever lay there before."""

    def receive(self, name: str) -> BinaryIO:
        """The file that the bank left, at its start, for the caller to close.

        It has at most LARGEST_FILE_BYTES; BankFileRefused when it can't be taken.
        """
