"""The sandbox acquirer inside a test's own process, so that a test can take it away."""

import datetime as dt
import threading
from dataclasses import dataclass, field
from pathlib import Path

from paynexus.gateways.sandbox import SandboxGateway
from tools.sandbox_acquirer.server import Server
from tools.sandbox_acquirer.service import Acquirer
from tools.sandbox_acquirer.store import Store

KEY = "sandbox-key"


@dataclass
class Sandbox:
    """An acquirer in this process, which can go away and come back with its books."""

    state: Path
    port: int = 0
    name: str = "sandbox"
    stopping: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """It answers, on the same port as before."""
        self.stopping.clear()
        self.store = Store(self.state)
        clock = lambda: dt.datetime.now(dt.UTC)  # noqa: E731, TID251 - the test's edge
        acquirer = Acquirer(self.store, sleep=self.stopping.wait, clock=clock, name=self.name)
        self.server = Server(
            ("127.0.0.1", self.port),
            acquirer,
            api_key=KEY,
            hold_seconds=60,
            stopping=self.stopping,
        )
        self.port = self.server.server_port
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def stop(self) -> None:
        """It is gone."""
        self.stopping.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
        self.store.close()

    @property
    def gateway(self) -> SandboxGateway:
        """The adapter for it."""
        url = f"http://127.0.0.1:{self.port}"
        return SandboxGateway(url, api_key=KEY, name=self.name)

    def charges(self) -> list[str]:
        """References of all charges it ever made."""
        return [charge.reference for _, charge, _ in self.store.charges(after=0, limit=1000)]
