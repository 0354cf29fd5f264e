"""Eight clients in eight processes, as eight Lambda environments are: each its own connection."""

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection as Pipe

from paynexus.cache import Cache
from paynexus.db import Database
from paynexus.ids import MerchantId, PaymentId
from tests.benchmarks.payments import Till
from tests.benchmarks.servers import Servers
from tests.benchmarks.slices import Slice, side_by_side


@dataclass(frozen=True, slots=True)
class Accept:
    """Accept payments of these merchants for so long."""

    merchants: tuple[MerchantId, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Finish:
    """Finish, in their order, the payments that were accepted."""


@dataclass(frozen=True, slots=True)
class Take:
    """Take payments of these merchants through their whole flow for so long."""

    merchants: tuple[MerchantId, ...]
    seconds: float


type Order = Accept | Finish | Take


class Crew:
    """Clients that follow an order all at the same time."""

    def __init__(self, pipes: list[Pipe]) -> None:
        self._pipes = pipes

    def follow(self, order: Order, *, clients: int | None = None) -> Slice:
        """What the clients did, all of them or the first few."""
        pipes = self._pipes[:clients]
        for pipe in pipes:
            pipe.send(order)
        return side_by_side([pipe.recv() for pipe in pipes])


@contextmanager
def at_work(servers: Servers, *, clients: int) -> Iterator[Crew]:
    """A crew; its processes are gone afterwards."""
    # Spawned, not forked: no process shares the parent's sockets.
    context = get_context("spawn")
    pipes, processes = [], []
    for _ in range(clients):
        here, there = context.Pipe()
        process = context.Process(target=_work, args=(there, servers), daemon=True)
        process.start()
        # With our copy closed, a client that dies is an EOFError here, not a wait for ever.
        there.close()
        pipes.append(here)
        processes.append(process)
    try:
        yield Crew(pipes)
    finally:
        for pipe in pipes:
            pipe.close()
        for process in processes:
            process.join()


def _work(pipe: Pipe, servers: Servers) -> None:
    # Metrics go to standard output, which is the benchmark's table: write them to nowhere.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    client = _Client(servers)
    while True:
        try:
            order = pipe.recv()
        except EOFError:
            return
        pipe.send(client.follow(order))


class _Client:
    def __init__(self, servers: Servers) -> None:
        database = Database(lambda: servers.payments_url)
        self._till = Till(database, Cache(servers.redis_url))
        self._accepted: list[PaymentId] = []

    def follow(self, order: Order) -> Slice:
        match order:
            case Accept(merchants, seconds):
                return self._for(seconds, merchants, self._till.accept, self._accepted)
            case Take(merchants, seconds):
                return self._for(seconds, merchants, self._till.take, [])
            case Finish():
                accepted, self._accepted = self._accepted, []
                return _timed(iter(accepted), self._till.finish)

    def _for(
        self,
        seconds: float,
        merchants: tuple[MerchantId, ...],
        act: Callable[[MerchantId], PaymentId],
        done: list[PaymentId],
    ) -> Slice:
        end = time.monotonic() + seconds

        def until_the_end() -> Iterator[MerchantId]:
            while time.monotonic() < end or not done:
                yield random.choice(merchants)  # noqa: S311 - any merchant will do

        return _timed(until_the_end(), lambda merchant: done.append(act(merchant)))


def _timed[T](subjects: Iterator[T], act: Callable[[T], None]) -> Slice:
    latencies = []
    cpu, started = time.process_time(), time.perf_counter()
    for subject in subjects:
        before = time.perf_counter()
        act(subject)
        latencies.append(time.perf_counter() - before)
    return Slice(
        latencies=latencies,
        seconds=time.perf_counter() - started,
        own_cpu_seconds=time.process_time() - cpu,
    )
