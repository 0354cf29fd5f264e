"""What a payment loses when Redis refuses, hangs or takes half a second: milliseconds, by turns."""

import io
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, redirect_stdout, suppress
from statistics import median
from urllib.parse import urlsplit

from paynexus import idempotency
from paynexus.cache import QUIET_SECONDS, Cache
from paynexus.clock import system_clock
from paynexus.db import Database
from paynexus.idempotency import Answer, Scope
from paynexus.ids import MerchantId
from tests.benchmarks import workloads
from tests.benchmarks.figures import Figure
from tests.benchmarks.payments import Till
from tests.benchmarks.run import Part, Run
from tests.benchmarks.workloads import MERCHANTS

HOST = "127.0.0.1"
ADDED_GOAL_MS = 100
SLOW_SECONDS = 0.5
PAYMENTS_A_TURN = 40
WELL = "well"
ANSWER = Answer(201, "{}", {})


class Shop:
    """Payments as two environments take them, one after the other: the API's and the gateway's.

    With `rarely`, so much time lies between two payments that each finds Redis away anew.
    """

    def __init__(self, database: Database, redis_url: str, *, rarely: bool) -> None:
        self._passed = 0.0
        self._step = 2 * QUIET_SECONDS if rarely else 0.0
        self._cache = Cache(redis_url, monotonic=self._now)
        self._till = Till(database, self._cache)
        self._asked = Till(database, Cache(redis_url, monotonic=self._now))
        self._number = 0

    def take(self, merchant_id: MerchantId) -> float:
        """Seconds from the look for a known answer to its keeping; the payment has to succeed."""
        self._passed += self._step
        self._number += 1
        scope = Scope(merchant_id, "test", "POST /payments", f"away-{self._number}")
        began, now = time.perf_counter(), system_clock()
        idempotency.remembered(self._cache, scope, fingerprint=b"", now=now)
        payment_id = self._till.accept(merchant_id)
        seen = self._till.score(payment_id)
        seen = self._asked.charge(payment_id, seen)
        self._till.finish(payment_id, seen)
        idempotency.remember(self._cache, scope, fingerprint=b"", answer=ANSWER, now=now)
        return time.perf_counter() - began

    def _now(self) -> float:
        return time.monotonic() + self._passed


def measured(run: Run) -> Iterator[Part]:
    """Busy environments, which meet the fault once a second, and idle ones, which always do."""
    database_url = run.servers.postgres.migrated("redis_away")
    with closing(Database(lambda: database_url)) as database, ExitStack() as stack:
        merchants = workloads.onboard(database, MERCHANTS)
        urls = {
            WELL: run.servers.redis_url,
            "refusing": f"redis://{HOST}:{_closed_port()}/0",
            "hanging": stack.enter_context(_listening(_hang)),
            "slow": stack.enter_context(_listening(_slow(run.servers.redis_url))),
        }
        for rarely in (False, True):
            shops = {name: Shop(database, url, rarely=rarely) for name, url in urls.items()}
            kind = "idle environments" if rarely else "busy environments"
            yield Part(f"Redis away, {kind}", _figures(kind, _in_turns(run, shops, merchants)))
    run.audit(database_url)


def _in_turns(
    run: Run, shops: dict[str, Shop], merchants: Sequence[MerchantId]
) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {name: [] for name in shops}
    number = max(2, int(PAYMENTS_A_TURN * min(run.settings.seconds, 2) / 2))
    # Metrics go to standard output, which is the benchmark's table.
    with redirect_stdout(io.StringIO()):
        for shop in shops.values():
            shop.take(merchants[0])
        for _ in range(run.settings.rounds):
            for name, shop in shops.items():
                chosen = random.choices(merchants, k=number)  # noqa: S311 - any will do
                found[name] += [shop.take(one) for one in chosen]
    return found


def _figures(kind: str, found: dict[str, list[float]]) -> list[Figure]:
    figures = []
    for name, seconds in found.items():
        prefix = f"Redis {name}, {kind}"
        figures += [
            Figure(f"{prefix}: p50", 1000 * median(seconds), "ms"),
            Figure(f"{prefix}: p99", 1000 * _p99(seconds), "ms"),
        ]
        if name != WELL:
            added = 1000 * (_p99(seconds) - _p99(found[WELL]))
            at_p50 = 1000 * (median(seconds) - median(found[WELL]))
            figures += [
                Figure(f"{prefix}: worst", 1000 * max(seconds), "ms"),
                Figure(f"{prefix}: added at p50", at_p50, "ms"),
                Figure(f"{prefix}: added at p99", added, "ms", goal=ADDED_GOAL_MS),
            ]
    return figures


def _p99(seconds: Sequence[float]) -> float:
    return sorted(seconds)[min(int(len(seconds) * 0.99), len(seconds) - 1)]


@contextmanager
def _listening(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """The address of a server that does so with each connection."""
    with socket.create_server((HOST, 0)) as server:
        threading.Thread(target=_accept, args=(server, serve), daemon=True).start()
        yield f"redis://{HOST}:{server.getsockname()[1]}/0"
        server.shutdown(socket.SHUT_RDWR)


def _accept(server: socket.socket, serve: Callable[[socket.socket], None]) -> None:
    while True:
        try:
            client, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=serve, args=(client,), daemon=True).start()


def _hang(client: socket.socket) -> None:
    # Clients go without a word, as do servers at the run's end.
    with client, suppress(OSError):
        while client.recv(4096):
            pass


def _slow(redis_url: str) -> Callable[[socket.socket], None]:
    """Each request reaches the real one half a second late, and is answered as it answers."""
    address = urlsplit(redis_url)

    def serve(client: socket.socket) -> None:
        with (
            client,
            suppress(OSError),
            socket.create_connection((address.hostname, address.port)) as real,
        ):
            while asked := client.recv(65536):
                time.sleep(SLOW_SECONDS)
                real.sendall(asked)
                client.sendall(real.recv(65536))

    return serve


def _closed_port() -> int:
    with socket.create_server((HOST, 0)) as server:
        port: int = server.getsockname()[1]
    return port
