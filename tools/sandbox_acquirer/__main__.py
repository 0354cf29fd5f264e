"""`python -m tools.sandbox_acquirer --port 8900 --state DIR --api-key KEY`."""

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tools.sandbox_acquirer.callbacks import CallbackSender
from tools.sandbox_acquirer.server import Server
from tools.sandbox_acquirer.service import Acquirer
from tools.sandbox_acquirer.store import StateInUseError, Store
from tools.sandbox_acquirer.tokens import FIRST


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; 0 then, 1 with one sentence when it can't start."""
    options = _options(arguments)
    stopping = threading.Event()
    try:
        store = Store(options.state)
        server = _server(options, store, stopping)
    except (StateInUseError, OSError) as error:
        sys.stderr.write(f"sandbox acquirer on {options.host}:{options.port}: {error}\n")
        return 1
    if options.callback_url:
        sender = CallbackSender(
            store,
            url=options.callback_url,
            key=options.api_key,
            stopping=stopping,
            clock=_clock,
        )
        threading.Thread(target=sender.run, daemon=True).start()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_number, lambda *_: stopping.set())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(f"sandbox acquirer listens on http://{options.host}:{server.server_port}\n")
    sys.stdout.flush()
    stopping.wait()
    server.shutdown()
    store.close()
    return 0


def _server(options: argparse.Namespace, store: Store, stopping: threading.Event) -> Server:
    acquirer = Acquirer(
        store,
        sleep=stopping.wait,
        clock=_clock,
        name=options.name,
    )
    return Server(
        (options.host, options.port),
        acquirer,
        api_key=options.api_key,
        hold_seconds=options.hold_seconds,
        stopping=stopping,
    )


def _clock() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the edge of this program


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.sandbox_acquirer", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one")
    parser.add_argument("--state", type=Path, required=True, help="folder of the books")
    parser.add_argument("--name", default=FIRST, help="which one this is, for tokens with _at_")
    parser.add_argument("--api-key", required=True, help="what clients send as bearer token")
    parser.add_argument("--callback-url", default="", help="where callbacks go; none by default")
    parser.add_argument(
        "--hold-seconds", type=float, default=30.0, help="how long a time-out holds its line"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
