"""What can go wrong with the local stack."""


class StackError(Exception):
    """A part could not be brought up; the text is one sentence saying what to do."""


class PartEndedError(StackError):
    """A part ended before it was ready."""
