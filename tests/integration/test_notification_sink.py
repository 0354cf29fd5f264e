"""The webhook sink keeps what it is sent, whatever happens to it, and answers as told."""

import json
import subprocess
import sys
import urllib.request
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.integration.notification_world import running_sink
from tools.webhook_sink import Log, Sink


def post(sink: Sink, path: str, body: bytes = b"{}") -> tuple[int, str | None]:
    """The status and Retry-After of a POST."""
    connection = HTTPConnection("127.0.0.1", sink.server_port)
    connection.request("POST", path, body, {"Webhook-Id": "evt_1"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, answer.headers["retry-after"]


def test_requests_are_listed(tmp_path: Path) -> None:
    """All of them, later ones, or those of one path."""
    with running_sink(tmp_path) as sink:
        for path in ("/a?x=1", "/b", "/a"):
            post(sink, path, '{"name":"Café\u2028"}'.encode())
        urls = ("requests", "requests?after=1", "requests?path=/a", "health")
        found = [
            json.load(urllib.request.urlopen(f"{sink.url}/{url}"))  # noqa: S310 - our own sink
            for url in urls
        ]

    numbers = [[one["number"] for one in answer.get("data", [])] for answer in found]
    assert numbers == [[1, 2, 3], [2, 3], [1, 3], []]
    assert found[0]["data"][0]["headers"]["webhook-id"] == "evt_1"
    assert json.loads(found[0]["data"][0]["body"]) == {"name": "Café\u2028"}
    assert found[3] == {"status": "ok"}


@pytest.mark.parametrize(
    ("path", "answers"),
    [
        ("/a", [(200, None), (200, None)]),
        ("/a?status=503", [(503, None), (503, None)]),
        ("/a?fail_first=1", [(500, None), (200, None)]),
        ("/a?fail_first=1&status=429&retry_after=7", [(429, "7"), (200, None)]),
    ],
)
def test_it_answers_as_told(tmp_path: Path, path: str, answers: list[tuple[int, str]]) -> None:
    """By the URL, for each path by itself."""
    with running_sink(tmp_path) as sink:
        assert [post(sink, path) for _ in answers] == answers


def test_requests_survive_a_restart_and_a_torn_line(tmp_path: Path) -> None:
    """What was answered stays; what was cut short never came."""
    Log(tmp_path).append(path="/a", headers=[], body="one\u2028\x85")
    with (tmp_path / "requests.jsonl").open("a") as file:
        file.write('{"number": 2, "pa')
    log = Log(tmp_path)
    log.append(path="/a", headers=[], body="two")

    assert [one["body"] for one in Log(tmp_path).requests()] == ["one\u2028\x85", "two"]


def test_unframed_body_is_refused(tmp_path: Path) -> None:
    """A body needs its length, and an end."""
    with running_sink(tmp_path) as sink:
        assert post(sink, "/a", b"x" * 1_000_001)[0] == 413
        assert sink.log.requests() == []


def test_taken_port_is_said_in_one_sentence(tmp_path: Path) -> None:
    """The command says what is wrong and ends."""
    with running_sink(tmp_path) as sink:
        command = [sys.executable, "-m", "tools.webhook_sink"]
        options = ["--port", str(sink.server_port), "--state", str(tmp_path / "other")]
        done = subprocess.run(
            [*command, *options], capture_output=True, text=True, check=False, timeout=20
        )

    assert done.returncode == 1
    assert done.stdout == (
        f"The webhook sink can't listen on port {sink.server_port}: Address already in use.\n"
    )
