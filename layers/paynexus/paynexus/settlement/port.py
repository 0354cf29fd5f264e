"""The bank, as settlement sees it: files go out under a name, files come in under a name."""

from typing import Protocol


class Bank(Protocol):
    """A bank that is spoken to in files; it pays a message id once, however often it comes."""

    def instruct(self, name: str, document: bytes) -> None:
        """The file lies in the bank's outbox under this name, whatever lay there before."""

    def receive(self, name: str) -> bytes:
        """The file that the bank left; BankFileRefused when it can't be taken."""
