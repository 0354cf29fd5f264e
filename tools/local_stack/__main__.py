"""`python -m tools.local_stack up|down|migrate|status|logs`; STATE_DIR says which stack."""

import argparse
import sys

from tools.local_stack import installation
from tools.local_stack.errors import StackError
from tools.local_stack.layout import Layout


def main() -> int:
    """Do what was asked; one sentence and exit status 1 when it cannot be done."""
    arguments = _arguments()
    layout = Layout.from_environment()
    try:
        installation.require()
        # Only now: what is missing would otherwise show as a failed import.
        from tools.local_stack import stack  # noqa: PLC0415

        match arguments.command:
            case "up":
                stack.up(layout)
            case "down":
                stack.down(layout)
            case "migrate":
                stack.migrate(layout)
            case "status":
                return 0 if stack.status(layout) else 1
            case "logs":
                stack.logs(layout, names=arguments.parts, lines=arguments.lines)
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.local_stack", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("up", "down", "migrate", "status"):
        commands.add_parser(name)
    logs = commands.add_parser("logs")
    logs.add_argument("parts", nargs="*", help="whose logs; all when none is named")
    logs.add_argument("--lines", type=int, default=40)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
