"""The programs of the local stack: started once, healed, told apart, stopped with all they left."""

import json
import os
import signal
import socket
import stat
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tools.local_stack import database, deployment, installation, parts, process
from tools.local_stack.errors import PartEndedError, StackError
from tools.local_stack.layout import Layout


@pytest.fixture(name="started")
def _started() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def _keep(started: ExitStack, layout: Layout, part: parts.Part) -> bool:
    started.callback(parts.stop, layout, part.name)
    return parts.keep(layout, part)


def _program(name: str, source: str) -> parts.Part:
    return parts.Part(name=name, command=(sys.executable, "-c", source), environment={})


SLEEPER = "import time; time.sleep(600)"


def test_the_acquirer_tells_the_api(tmp_path: Path) -> None:
    """Its callbacks go to the address that the API will have."""
    layout = Layout(state=tmp_path)
    command = parts.sandbox_acquirer(layout, "key").command
    told = str(command[command.index("--callback-url") + 1])

    assert told.startswith(layout.endpoint_url)
    assert told.endswith(f"/_aws/execute-api/{layout.api_id}/v1/gateways/sandbox/callbacks")


def test_a_running_part_is_kept(started: ExitStack, tmp_path: Path) -> None:
    """Asking twice starts one process."""
    layout = Layout(state=tmp_path)
    part = _program("sleeper", SLEEPER)

    answers = [_keep(started, layout, part), _keep(started, layout, part)]

    assert answers == [True, False]


def test_another_terminal_keeps_what_runs(
    started: ExitStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a part is started with does not hang on whose shell asks."""
    layout = Layout(state=tmp_path)
    started.callback(parts.stop, layout, "webhook_sink")

    answers = []
    for terminal in ("xterm", "screen"):
        monkeypatch.setenv("TERM", terminal)
        monkeypatch.setenv("PATH", f"/{terminal}", prepend=":")
        answers.append(parts.keep(layout, parts.webhook_sink(layout)))

    assert answers == [True, False]
    assert parts.ministack(layout).environment.get("TERM") is None


def test_a_key_may_begin_with_a_dash(started: ExitStack, tmp_path: Path) -> None:
    """Keys are random; one in 64 looks like an option."""
    layout = Layout(state=tmp_path)

    assert _keep(started, layout, parts.sandbox_acquirer(layout, "-dashed"))


def test_a_part_that_is_described_otherwise_is_started_anew(
    started: ExitStack, tmp_path: Path
) -> None:
    """What runs is what was asked for last."""
    layout = Layout(state=tmp_path)
    _keep(started, layout, _program("sleeper", SLEEPER))
    before = process.read(layout.pid_file("sleeper"))

    _keep(started, layout, _program("sleeper", f"{SLEEPER}  # otherwise"))

    assert before
    assert not before.is_alive()
    assert process.read(layout.pid_file("sleeper"))


def test_a_killed_part_is_started_again(started: ExitStack, tmp_path: Path) -> None:
    """`kill -9` is healed by asking again."""
    layout = Layout(state=tmp_path)
    part = parts.ministack(layout)
    _keep(started, layout, part)
    killed = process.read(layout.pid_file(part.name))
    assert killed
    os.kill(killed.pid, signal.SIGKILL)

    assert _keep(started, layout, part)
    assert part.is_ready()


def test_a_part_that_ends_at_once_shows_its_last_words(started: ExitStack, tmp_path: Path) -> None:
    """The error carries the reason and the log's place."""
    layout = Layout(state=tmp_path)
    listener = _program("hasty", "raise SystemExit('no such folder')")
    part = parts.Part(
        name="hasty", command=listener.command, environment={}, port=layout.port("hasty")
    )

    with pytest.raises(PartEndedError) as refused:
        _keep(started, layout, part)

    assert str(refused.value) == (
        f"hasty ended while starting (no such folder): see {layout.log('hasty')}."
    )


def test_a_taken_port_of_a_program_is_one_clear_sentence(tmp_path: Path) -> None:
    """Whoever meets a taken port reads which port, and what to do."""
    layout = Layout(state=tmp_path)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        layout.ports_file.write_text(json.dumps({"mock_bank": other.getsockname()[1]}))

        with pytest.raises(StackError, match="taken by another program: stop that program, or"):
            parts.keep(layout, parts.mock_bank(layout))


def test_stopping_a_part_takes_what_it_left_running(started: ExitStack, tmp_path: Path) -> None:
    """A killed parent's children in the state folder are gone too; nobody else's are."""
    layout = Layout(state=tmp_path)
    source = (
        "import subprocess, sys, time\n"
        f"subprocess.Popen([sys.executable, '-c', {SLEEPER!r}], cwd={str(tmp_path)!r})\n"
        f"subprocess.Popen([sys.executable, '-c', {SLEEPER!r}], cwd='/')\n"
        "print('ready', flush=True); time.sleep(600)"
    )
    _keep(started, layout, _program("parent", source))
    while "ready" not in layout.log("parent").read_text():
        pass
    pid_file = layout.pid_file("parent")
    children = process.session_of(pid_file, below=tmp_path)
    others = process.session_of(pid_file, below=Path("/"))
    parent = process.read(pid_file)
    assert parent
    os.kill(parent.pid, signal.SIGKILL)

    parts.stop(layout, "parent")

    assert [child.is_alive() for child in children] == [False]
    elsewhere = [other for other in others if other not in (*children, parent)]
    assert [other.is_alive() for other in elsewhere] == [True]
    process.stop(elsewhere[0], number=signal.SIGKILL)


def test_two_ministacks_share_nothing(started: ExitStack, tmp_path: Path) -> None:
    """Each has its own port and account, and writes below its own state folder."""
    layouts = [Layout(state=tmp_path / name) for name in ("here", "there")]
    for layout in layouts:
        for folder in ("tmp", "state", "s3"):
            parts.clear(layout.state / "ministack" / folder)
        _keep(started, layout, parts.ministack(layout))

    here, there = layouts

    assert here.endpoint_url != there.endpoint_url
    assert here.stack_name != there.stack_name
    for layout in layouts:
        assert parts.answers(f"{layout.endpoint_url}/_ministack/health")
        assert list((layout.state / "ministack" / "tmp").iterdir())


def test_children_see_this_stack_s_aws_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the user's profile nor credentials reach a part, and its endpoint does."""
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "real")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "real")

    layout = Layout(state=tmp_path)
    environment = layout.environment()

    assert "AWS_PROFILE" not in environment
    assert "real" not in environment.values()
    assert environment["AWS_ENDPOINT_URL"] == layout.endpoint_url
    assert not Path(environment["AWS_SHARED_CREDENTIALS_FILE"]).exists()


def test_ports_are_chosen_once(tmp_path: Path) -> None:
    """A stack keeps its addresses; parts differ."""
    layout = Layout(state=tmp_path)

    ports = [layout.port("one"), layout.port("two")]

    assert ports == [Layout(state=tmp_path).port("one"), Layout(state=tmp_path).port("two")]
    assert len(set(ports)) == 2


def test_keys_are_made_once_and_for_the_owner_s_eyes(tmp_path: Path) -> None:
    """What was kept wins over what is new; a key that came later is added."""
    path = tmp_path / "keys.json"
    database.kept_json(path, {"old": "first"})

    kept = database.kept_json(path, {"old": "second", "new": "third"})

    assert kept == {"old": "first", "new": "third"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_deployment_is_known_by_what_went_into_it(tmp_path: Path) -> None:
    """Other parameters make another deployment; the same make the same."""
    layout = Layout(state=tmp_path)

    first, same, other = (
        deployment.digest(layout, values) for values in ({"a": "1"}, {"a": "1"}, {"a": "2"})
    )

    assert first == same
    assert first != other


def test_another_python_is_one_clear_sentence() -> None:
    """Whoever runs it with another Python reads which one is needed."""
    with pytest.raises(StackError) as refused:
        installation.require(version=(3, 12))

    assert str(refused.value) == (
        "The local stack runs the functions, which need Python 3.13, and this is 3.12: "
        "install Python 3.13 and run `make up`."
    )


def test_a_missing_package_is_one_clear_sentence() -> None:
    """A failed install names what is missing and how to bring it."""
    with pytest.raises(StackError) as refused:
        installation.require(packages=("psycopg", "no_such_package"))

    assert str(refused.value) == (
        "Not installed: no_such_package. Run `rm -f .venv/installed && make up`."
    )
