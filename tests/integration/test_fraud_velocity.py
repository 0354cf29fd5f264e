"""Velocity as a payment asks for it: by Redis, by Postgres when that can't tell, never too low."""

import datetime as dt
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis

from paynexus.cache import Cache
from paynexus.db import Database
from paynexus.fraud.model import EntityKind
from paynexus.fraud.velocity import counters as counting
from paynexus.fraud.velocity import scripts, service, store
from paynexus.fraud.velocity.counters import COLD, STATE, Counters
from paynexus.fraud.velocity.reference import counted
from paynexus.fraud.velocity.windows import WINDOWS
from tests.velocity_world import LONG_AGO, Shop, gaps, opened, patient
from tools.local_stack import valkey

HOST = "127.0.0.1"
SECOND = dt.timedelta(seconds=1)
ANSWERS = len(WINDOWS)


@pytest.fixture(name="shop")
def _shop() -> Shop:
    return Shop()


@pytest.fixture(name="server")
def _server(tmp_path: Path) -> Iterator[valkey.Server]:
    """A Valkey of this test alone, to be killed, filled and starved."""
    server = valkey.start(tmp_path)
    yield server
    with suppress(ProcessLookupError):
        server.stop()


def count_at(database: Database, cache: Cache, shop: Shop, at: dt.datetime) -> tuple[int, str]:
    """One more payment of the card: how many it sees within a day, and who told."""
    payment = shop.payment(at)
    shop.log(database, payment)
    told = service.observe_and_count(database, cache, payment, now=at)
    number = told.values["card_count_24h"]
    assert number is not None
    assert told.values["merchant_count_1h"] == number
    return number, told.source


def rested(cache: Cache) -> None:
    """As if a rebuild had been a while ago."""
    cache._connected().hset(STATE, "touched", "0")


# --- Redis that has forgotten ---


def test_an_empty_redis_answers_only_after_it_was_rebuilt(
    database: Database, redis_url: str, shop: Shop, now: dt.datetime
) -> None:
    """Before that, Postgres tells; no count is ever of Redis's short memory."""
    cache = patient(redis_url)
    seen = [count_at(database, cache, shop, now) for _ in range(3)]
    service.tend(database, cache, now)
    seen += [count_at(database, cache, shop, now) for _ in range(2)]

    assert seen == [
        (1, "postgres"),
        (2, "postgres"),
        (3, "postgres"),
        (4, "redis"),
        (5, "redis"),
    ]
    assert gaps(database) == 0


def test_a_flush_is_noticed_and_healed_at_once(
    database: Database, redis_url: str, shop: Shop, now: dt.datetime
) -> None:
    """FLUSHALL and SCRIPT FLUSH between two payments."""
    cache = patient(redis_url)
    service.tend(database, cache, now)
    seen = [count_at(database, cache, shop, now)]
    cache._connected().flushall()
    cache._connected().script_flush()
    seen += [count_at(database, cache, shop, now)]
    service.tend(database, cache, now)
    seen += [count_at(database, cache, shop, now)]

    assert seen == [(1, "redis"), (2, "postgres"), (3, "redis")]


def test_a_forgotten_script_is_brought_again(
    database: Database, redis_url: str, shop: Shop, now: dt.datetime
) -> None:
    """SCRIPT FLUSH alone costs nothing but a longer message."""
    cache = patient(redis_url)
    service.tend(database, cache, now)
    assert count_at(database, cache, shop, now) == (1, "redis")
    cache._connected().script_flush()

    assert count_at(database, cache, shop, now) == (2, "redis")


def test_a_rebuilt_redis_tells_what_postgres_tells(
    database: Database, redis_url: str, now: dt.datetime
) -> None:
    """Several merchants, more than one read of each, back to the edge of each window."""
    cache = patient(redis_url)
    shops = [Shop() for _ in range(3)]
    step = dt.timedelta(days=8, hours=2) / 1_100
    last = []
    for number, shop in enumerate(shops):
        payments = [
            shop.payment(
                now - n * step,
                amount=n + 1,
                card=f"c{n % 7}",
                customer="ada" if n % 3 else None,
                email=f"e{n % 5}" if n % 2 else None,
                ip=f"i{n % 4}",
                terminal="till" if n % 5 else None,
            )
            for n in range(1_100 if number == 0 else 50)
        ]
        shop.log(database, *payments)
        last += payments[:5]
    assert service.rebuild(database, cache, now)

    for one in last:
        with database.reading() as connection:
            assert Counters(cache).observe(one) == store.count(connection, one)


def test_a_flush_in_the_middle_of_a_rebuild_leaves_it_incomplete(
    database: Database, redis_url: str, shop: Shop, now: dt.datetime
) -> None:
    """Whether it had fed all by then, or nothing: Redis doesn't answer until another is done."""
    cache = patient(redis_url)
    shop.log(database, *(shop.payment(now) for _ in range(3)))
    counters = Counters(cache)
    fed = [shop.payment(now)]
    for flush_after in range(3):
        assert counters.begin("one")
        steps: list[Callable[[], object]] = [
            lambda: None,
            lambda: counters.feed(fed, generation="one"),
            lambda: counters.feed(fed, generation="one"),
        ]
        for number, step in enumerate(steps):
            step()
            if number == flush_after:
                cache._connected().flushall()

        assert not counters.finish("one", since=now)
        assert not counters.is_complete()
        assert counters.observe(fed[0]) == COLD
    assert service.rebuild(database, cache, now)
    assert count_at(database, cache, shop, now) == (4, "redis")


def test_a_rebuild_that_died_is_begun_anew(
    database: Database, redis_url: str, shop: Shop, now: dt.datetime
) -> None:
    """What it had counted counts no more; and nobody begins one while another may be at work."""
    cache = patient(redis_url)
    payments = [shop.payment(now) for _ in range(3)]
    shop.log(database, *payments)
    counters = Counters(cache)
    assert counters.begin("dead")
    assert counters.feed(payments[:2], generation="dead")

    assert not service.rebuild(database, cache, now)
    assert count_at(database, cache, shop, now) == (4, "postgres")
    rested(cache)
    assert service.rebuild(database, cache, now)
    assert counters.feed(payments, generation="dead") is False
    assert not counters.finish("dead", since=now)
    assert count_at(database, cache, shop, now) == (5, "redis")
    # The dead generation's keys are gone: the state, and a key of each entity and day.
    keys = cache._connected().keys("*")
    assert not [key for key in keys if b"dead" in key]
    assert len(keys) == 3


def test_observers_and_rebuilds_at_once(
    database: Database,
    another_database: Callable[[], Database],
    redis_url: str,
    shop: Shop,
    now: dt.datetime,
) -> None:
    """Flushed and rebuilt under load: each sees exactly its own payments, whoever tells."""
    shop.log(database, *(shop.payment(now) for _ in range(100)))
    done = threading.Event()

    def pay(number: int) -> list[tuple[int, int, str]]:
        mine, cache = another_database(), patient(redis_url)
        seen: list[tuple[int, int, str]] = []
        while not done.is_set() and len(seen) < 400:
            payment = shop.payment(now, ip=f"{number}")
            shop.log(mine, payment)
            told = service.observe_and_count(mine, cache, payment, now=now)
            seen.append((len(seen) + 1, told.values["ip_count_1h"] or 0, told.source))
        return seen

    with ThreadPoolExecutor(3) as pool:
        payers = [pool.submit(pay, number) for number in range(3)]
        mine, cache = another_database(), patient(redis_url)
        for _ in range(4):
            service.tend(mine, cache, now)
            time.sleep(0.1)
            cache._connected().flushall()
            time.sleep(0.05)
        service.tend(mine, cache, now)
        done.set()
        told = [one for payer in payers for one in payer.result()]

    assert all(own == seen for own, seen, _ in told)
    assert {source for _, _, source in told} == {"redis", "postgres"}
    payment = shop.payment(now)
    shop.log(database, payment)
    with database.reading() as connection:
        assert Counters(cache).observe(payment) == store.count(connection, payment)


def test_a_killed_server_comes_back_empty_and_is_rebuilt(
    database: Database, server: valkey.Server, tmp_path: Path, shop: Shop, now: dt.datetime
) -> None:
    """By kill -9: Postgres counts, meanwhile and until the rebuild, and nothing is lost."""
    cache = patient(server.url)
    service.tend(database, cache, now)
    seen = [count_at(database, cache, shop, now)]
    server.process.kill(signal.SIGKILL)
    _until(lambda: not server.process.is_alive())
    seen += [count_at(database, cache, shop, now)]
    assert gaps(database) == 1
    again = valkey.start(tmp_path, port=server.port)
    try:
        cache = patient(again.url)
        seen += [count_at(database, cache, shop, now)]
        service.tend(database, cache, now)
        seen += [count_at(database, cache, shop, now)]
    finally:
        again.stop()

    assert seen == [(1, "redis"), (2, "postgres"), (3, "postgres"), (4, "redis")]
    assert gaps(database) == 0


def test_an_eviction_is_noticed_whatever_was_evicted(
    database: Database, server: valkey.Server, shop: Shop, now: dt.datetime
) -> None:
    """Filled with others' keys until it evicts: from then on Postgres tells, until a rebuild."""
    cache = patient(server.url)
    client = cache._connected()
    service.tend(database, cache, now)
    assert count_at(database, cache, shop, now) == (1, "redis")
    client.config_set("maxmemory", client.info("memory")["used_memory"] + 2_000_000)
    for number in range(400):
        client.set(f"other:{number}", b"x" * 10_000, ex=1_000)

    assert client.info("stats")["evicted_keys"] > 0
    assert count_at(database, cache, shop, now) == (2, "postgres")
    client.config_set("maxmemory", "256mb")
    service.tend(database, cache, now)
    assert count_at(database, cache, shop, now) == (3, "postgres")
    rested(cache)
    service.tend(database, cache, now)
    assert count_at(database, cache, shop, now) == (4, "redis")


def test_a_full_server_that_evicts_nothing_is_as_good_as_none(
    database: Database, server: valkey.Server, shop: Shop, now: dt.datetime
) -> None:
    """It refuses to write: Postgres tells, and Redis is told once there is room."""
    cache = patient(server.url)
    client = cache._connected()
    service.tend(database, cache, now)
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", "1mb")
    client.config_set("maxmemory", 1)
    assert count_at(database, cache, shop, now) == (1, "postgres")
    assert gaps(database) == 1
    client.config_set("maxmemory", "256mb")
    cache = patient(server.url)
    service.tend(database, cache, now)

    assert gaps(database) == 0
    assert count_at(database, cache, shop, now) == (2, "redis")


def test_another_life_of_the_server_is_not_believed(
    database: Database, server: valkey.Server, tmp_path: Path, shop: Shop, now: dt.datetime
) -> None:
    """A replica takes over: it holds the state, and may lack the last payments."""
    cache = patient(server.url)
    service.tend(database, cache, now)
    assert count_at(database, cache, shop, now) == (1, "redis")
    replica = valkey.start(tmp_path / "replica")
    try:
        client = Redis.from_url(replica.url)
        client.replicaof(HOST, server.port)
        _until(lambda: client.info("replication")["master_link_status"] == "up")
        _until(lambda: client.exists(STATE) == 1)
        client.replicaof("NO", "ONE")
        cache = patient(replica.url)

        assert count_at(database, cache, shop, now) == (2, "postgres")
        rested(cache)
        service.tend(database, cache, now)
        assert count_at(database, cache, shop, now) == (3, "redis")
        client.close()
    finally:
        replica.stop()


def test_keys_live_as_long_as_anyone_may_ask(redis_url: str, shop: Shop, now: dt.datetime) -> None:
    """An hour longer than the longest window; of a payment ahead of time, by so much longer."""
    cache = patient(redis_url)
    opened(cache, since=now - LONG_AGO).observe(
        shop.payment(now + dt.timedelta(days=1), customer="ada", ip="i")
    )
    Counters(cache).observe(shop.payment(now, customer="ada", ip="i"))
    client = cache._connected()
    hours = sorted(round(client.ttl(key) / 3_600) for key in client.keys("*") if key != b"")

    assert client.ttl(STATE) == -1
    assert hours == [0, 24 + 1, 24 + 25, 24 + 25, 24 + 25, 24 + 169]


# --- Redis that was away, or lies ---


def test_what_redis_missed_is_known_and_made_good(
    database: Database, redis_url: str, shop: Shop, now: dt.datetime
) -> None:
    """One environment's Redis is away: the others ask Postgres until it has been told."""
    cache, away = patient(redis_url), Cache(f"redis://{HOST}:{_closed_port()}/0")
    service.tend(database, cache, now)
    assert count_at(database, cache, shop, now) == (1, "redis")
    assert count_at(database, away, shop, now) == (2, "postgres")
    of_shop, of_others = (
        database.connection()
        .execute(
            "SELECT fraud_velocity_has_gaps(%s, 'test')",
            (one.merchant_id,),
        )
        .fetchone()
        for one in (shop, Shop())
    )
    payment = shop.payment(now)
    shop.log(database, payment)
    told = service.observe_and_count(database, cache, payment, now=now, has_gaps=True)

    assert (of_shop, of_others) == ((True,), (False,))
    assert (told.values["card_count_24h"], told.source) == (3, "postgres")
    assert service.heal(database, away, now) == 0
    assert service.heal(database, cache, now) == 1
    assert gaps(database) == 0
    assert count_at(database, cache, shop, now) == (4, "redis")


def test_gaps_beyond_all_windows_are_forgotten(
    database: Database, shop: Shop, now: dt.datetime
) -> None:
    """An installation without Redis does not gather them for ever."""
    none = Cache("")
    assert count_at(database, none, shop, now) == (1, "postgres")
    service.tend(database, none, now + dt.timedelta(days=7))
    assert gaps(database) == 1
    service.tend(database, none, now + dt.timedelta(days=8))
    assert gaps(database) == 0


def test_without_either_nothing_is_known_and_nothing_raised(
    redis_url: str, shop: Shop, now: dt.datetime
) -> None:
    """Redis is cold, Postgres away."""
    nowhere = Database(lambda: f"host={HOST} port={_closed_port()} dbname=none user=none")
    told = service.observe_and_count(nowhere, patient(redis_url), shop.payment(now), now=now)

    assert told.source == "none"
    assert set(told.values.values()) == {None}
    assert set(told.values) == {window.name for window in WINDOWS}


def test_postgres_counts_by_its_indexes(database: Database, shop: Shop, now: dt.datetime) -> None:
    """However many payments there are: of each entity the newest, and no look through the log."""
    payments = [
        shop.payment(
            now - n * dt.timedelta(minutes=10),
            card=f"{n % 99}",
            customer=f"{n % 99}",
            email=f"{n % 99}",
            ip=f"{n % 99}",
            terminal=f"{n % 99}",
        )
        for n in range(5_000)
    ]
    shop.log(database, *payments)
    connection = database.connection()
    connection.execute("ANALYZE fraud_observations")
    explained = connection.execute(
        f"EXPLAIN {store.SQL_COUNT}".encode(), store.values_of(payments[0])
    )
    plan = "\n".join(row[0] for row in explained)

    assert "Index" in plan
    assert "Seq Scan" not in plan


GREETING = b"%1\r\n$5\r\nproto\r\n:3\r\n"


@contextmanager
def answering(talk: Callable[[bytes], bytes | None]) -> Iterator[str]:
    """A server that answers so; None: not at all."""
    with socket.create_server((HOST, 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    client, _ = server.accept()
                    threading.Thread(target=speak, args=(client,), daemon=True).start()

        def speak(client: socket.socket) -> None:
            with client, suppress(OSError):
                while heard := client.recv(65_536):
                    words = talk(heard)
                    if words is not None:
                        client.sendall(words)

        threading.Thread(target=serve, daemon=True).start()
        yield f"redis://{HOST}:{server.getsockname()[1]}/0"


def saying(words: bytes | None, *, politely: bool) -> Callable[[bytes], bytes | None]:
    """These words to everything, or, politely, to scripts alone."""

    def talk(heard: bytes) -> bytes | None:
        if b"EVAL" in heard or not politely:
            return words
        if b"HELLO" in heard:
            return GREETING
        return b"+OK\r\n" * len(re.findall(rb"\*\d+\r\n\$", heard))

    return talk


def _slow(heard: bytes) -> bytes:
    time.sleep(0.2)
    return b"*1\r\n:0\r\n" if b"EVAL" in heard else GREETING


def _array(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(words)


def _told(*, first: bytes = b":1\r\n", **instead: bytes) -> bytes:
    """A true answer about the first payment of a card for 100 cents, or almost."""
    words = [first]
    for window in counting.ANSWERED:
        usual = b":1\r\n" if window.measure != "sum" else b"$3\r\n100\r\n"
        if window.of not in {EntityKind.CARD, EntityKind.MERCHANT}:
            usual = b"_\r\n"
        elif window.distinct:
            usual = b":0\r\n"
        words.append(instead.get(window.name, usual))
    return _array(*words)


TROUBLES: dict[str, Callable[[bytes], bytes | None]] = {
    "hung": saying(None, politely=False),
    "hung at scripts": saying(None, politely=True),
    "slow": _slow,
    **{
        f"{words[:40]!r} {'politely' if politely else ''}": saying(words, politely=politely)
        for politely in (False, True)
        for words in (
            b"",
            b"+OK\r\n",
            b":1\r\n",
            b":0\r\n",
            b"*0\r\n",
            b"$-1\r\n",
            b"*1\r\n:1\r\n",
            b"*1\r\n$1\r\n0\r\n",
            b"*2\r\n:0\r\n:0\r\n",
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            b"-LOADING\r\n",
            b"-OOM command not allowed\r\n",
            b"\xff\x00\r\n",
            b"*99999999999\r\n:1\r\n",
            b"*" + b"1\r\n*" * 5_000 + b"1\r\n:1\r\n",
        )
    },
}

LIES = {
    "one too few": _array(*[b":1\r\n"] * ANSWERS),
    "one too many": _array(*[b":1\r\n"] * (ANSWERS + 2)),
    "not the flag": _told(first=b":2\r\n"),
    "nothing of itself": _told(card_count_10m=b":0\r\n"),
    "less than nothing": _told(card_count_1h=b":-1\r\n"),
    "an absent count": _told(card_count_1h=b"_\r\n"),
    "an unasked count": _told(ip_count_1h=b":1\r\n"),
    "a count in words": _told(card_count_24h=b"$1\r\n1\r\n"),
    "a count in letters": _told(card_count_24h=b"$1\r\nx\r\n"),
    "a fraction": _told(card_count_24h=b",1.5\r\n"),
    "a truth": _told(card_count_24h=b"#t\r\n"),
    "a list": _told(card_count_24h=b"*1\r\n:1\r\n"),
    "less than itself": _told(card_sum_24h=b"$2\r\n99\r\n"),
    "a sum in letters": _told(card_sum_24h=b"$3\r\n1e9\r\n"),
    "a sum below zero": _told(merchant_sum_24h=b"$4\r\n-100\r\n"),
    "an empty sum": _told(merchant_sum_24h=b"$0\r\n\r\n"),
    "a sum as number": _told(merchant_sum_24h=b":100\r\n"),
    "digits of another script": _told(card_sum_24h="$8\r\n\u0661\u0660\u0660\u0660\r\n".encode()),
    "fewer than none": _told(card_emails_24h=b":-1\r\n"),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_redis_in_trouble_is_as_good_as_none(
    database: Database, shop: Shop, now: dt.datetime, trouble: str
) -> None:
    """Hung, slow or speaking nonsense: Postgres counts, and remembers what Redis may not know."""
    with answering(TROUBLES[trouble]) as url:
        cache = Cache(url)
        seen = [count_at(database, cache, shop, now) for _ in range(3)]

    assert seen == [(1, "postgres"), (2, "postgres"), (3, "postgres")]
    assert gaps(database) == 3


@pytest.mark.parametrize("lie", LIES)
def test_a_redis_that_lies_is_not_believed(
    database: Database, shop: Shop, now: dt.datetime, lie: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer has to be one that could be true of this payment."""
    monkeypatch.setattr("paynexus.cache.DEADLINE_SECONDS", 20.0)
    with answering(saying(LIES[lie], politely=True)) as url:
        assert count_at(database, Cache(url), shop, now) == (1, "postgres")
    assert gaps(database) == 1


def test_a_redis_that_tells_the_truth_is_believed(
    database: Database, shop: Shop, now: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the lies above are refused for what they say."""
    monkeypatch.setattr("paynexus.cache.DEADLINE_SECONDS", 20.0)
    with answering(saying(_told(), politely=True)) as url:
        assert count_at(database, Cache(url), shop, now) == (1, "redis")


def test_a_late_payment_counts_for_others_and_asks_postgres(
    database: Database, redis_url: str, shop: Shop, now: dt.datetime
) -> None:
    """What it could see may have left Redis."""
    cache = patient(redis_url)
    service.tend(database, cache, now - dt.timedelta(days=1))
    late = now - dt.timedelta(seconds=scripts.LATENESS_SECONDS + 60)

    assert count_at(database, cache, shop, late) == (1, "postgres")
    assert gaps(database) == 0
    payment = shop.payment(now)
    shop.log(database, payment)
    told = service.observe_and_count(database, cache, payment, now=now)
    assert (told.values["card_count_24h"], told.source) == (2, "redis")


def test_a_payment_before_the_rebuild_reaches_asks_postgres(
    database: Database, redis_url: str, shop: Shop, now: dt.datetime
) -> None:
    """Redis says since when it can tell."""
    cache = patient(redis_url)
    opened(cache, since=now)

    assert count_at(database, cache, shop, now - SECOND) == (1, "postgres")
    assert count_at(database, cache, shop, now) == (2, "redis")


def test_a_payment_of_one_merchant_counts_for_no_other(
    database: Database, redis_url: str, now: dt.datetime
) -> None:
    """The same card, at two merchants."""
    cache = patient(redis_url)
    service.tend(database, cache, now)

    assert count_at(database, cache, Shop(), now) == (1, "redis")
    assert count_at(database, cache, Shop(), now) == (1, "redis")


def test_what_is_told_first_of_a_payment_holds(
    redis_url: str, shop: Shop, now: dt.datetime
) -> None:
    """A step that runs again moves nothing: neither counts nor times."""
    counters = opened(patient(redis_url), since=now - LONG_AGO)
    payment = shop.payment(now)
    first = counters.observe(payment)
    again = counters.observe(replace(payment, at=now + SECOND))
    other = shop.payment(now)

    assert first == again == counted(payment, [])
    assert counters.observe(other) == counted(other, [payment])


def _until(is_so: Callable[[], object]) -> None:
    for _ in range(200):
        if is_so():
            return
        time.sleep(0.05)
    pytest.fail("it never was so")


def _closed_port() -> int:
    with socket.create_server((HOST, 0)) as server:
        port: int = server.getsockname()[1]
    return port
