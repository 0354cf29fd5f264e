"""README's tour and the quickstart, taken as a reader takes them: each command, each answer."""

import json
import os
import re
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.client import Client
from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(sh|json|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
END_OF_BLOCK = "=== end of block ==="
TOUR_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Command:
    """A block of commands, and the answer that the page shows under it."""

    text: str
    language: str | None = None
    answer: str = ""


@pytest.mark.parametrize(("page", "shell"), [("README.md", "bash"), ("docs/quickstart.md", "sh")])
def test_the_tour_goes_as_the_page_says(
    stack: Stack, merchant: Client, tmp_path: Path, page: str, shell: str
) -> None:
    """Taken by a merchant of its own, so that the sums shown are the sums said."""
    # Whoever comes first pays for every cold start.
    assert merchant.settle("/payments", _ORDER).status == 201
    newcomer = stack.merchant(f"Reader {secrets.token_hex(6)}")
    credentials = {"client_id": newcomer.client_id, "client_secret": newcomer.client_secret}
    (tmp_path / "stack.json").write_text(json.dumps(stack.described | credentials))
    commands = _commands(page)

    outputs = _run([command.text for command in commands], shell, state=tmp_path)

    assert len(outputs) == len(commands) > 8
    for command, output in zip(commands, outputs, strict=True):
        if command.language == "json":
            said = json.loads(output.strip().splitlines()[-1])
            assert list(_differences(json.loads(command.answer), said)) == [], command.text
        elif command.language == "text":
            assert output.strip() == command.answer.strip(), command.text


_ORDER = {"amount": 100, "currency": "EUR", "payment_method": "tok_approve_readme"}


def _commands(page: str) -> list[Command]:
    blocks = BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
    commands: list[Command] = []
    for language, text in blocks:
        if language == "sh":
            commands.append(Command(text))
        else:
            commands[-1] = Command(commands[-1].text, language, text)
    return commands


def _run(texts: list[str], shell: str, *, state: Path) -> list[str]:
    """What each block prints, all of them typed into one shell."""
    script = "".join(f"{text}\nprintf '\\n%s\\n' '{END_OF_BLOCK}'\n" for text in texts)
    answer = subprocess.run(
        [shell, "-eu", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=TOUR_SECONDS,
        env={**os.environ, "STATE_DIR": str(state)},  # noqa: TID251 - a reader's own shell
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout.split(f"\n{END_OF_BLOCK}\n")[:-1]


def _differences(shown: object, said: object, path: str = "answer") -> Iterator[str]:
    """Where the answer is not as shown: the page leaves fields out, and writes … for text."""
    if isinstance(shown, dict) and isinstance(said, dict):
        for name, value in shown.items():
            yield from _differences(value, said.get(name, "nothing"), f"{path}.{name}")
    elif isinstance(shown, list) and isinstance(said, list) and len(shown) == len(said):
        for at, pair in enumerate(zip(shown, said, strict=True)):
            yield from _differences(*pair, f"{path}[{at}]")
    elif isinstance(shown, str) and isinstance(said, str):
        pattern = ".*".join(re.escape(part) for part in shown.split("…"))
        if not re.fullmatch(pattern, said, re.DOTALL):
            yield f"{path}: {shown!r} is shown, {said!r} was said"
    elif shown != said:
        yield f"{path}: {shown!r} is shown, {said!r} was said"
