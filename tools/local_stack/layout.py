"""Where one local stack keeps what: everything lies in its state folder."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.local_stack.ports import HOST, kept_port

REPOSITORY = Path(__file__).resolve().parents[2]
VIRTUAL_ENVIRONMENT = REPOSITORY / ".venv"
REGION = "us-east-1"
STAGE = "local"
# MiniStack believes any credentials; these are obviously nobody's.
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
}


@dataclass(frozen=True, slots=True)
class Layout:
    """The files, ports and names of the stack in one state folder."""

    state: Path

    @classmethod
    def from_environment(cls) -> "Layout":
        """The stack that STATE_DIR names, `.local` in the repository when it names none."""
        folder = os.environ.get("STATE_DIR") or ".local"  # noqa: TID251  # the tool's own border
        return cls(state=(REPOSITORY / folder).resolve())

    @property
    def ports_file(self) -> Path:
        """The ports, chosen once."""
        return self.state / "ports.json"

    @property
    def description(self) -> Path:
        """What users of the stack read."""
        return self.state / "stack.json"

    @property
    def bank_dir(self) -> Path:
        """The bank's mailbox."""
        return self.state / "bank"

    @property
    def stack_name(self) -> str:
        """The CloudFormation stack's name; it differs between state folders."""
        return f"paynexus-{self._digest[:8]}"

    @property
    def api_id(self) -> str:
        """The API's id, which must outlive redeployments for `api_url` to stay valid."""
        return self._digest[8:16]

    @property
    def api_url(self) -> str:
        """Where the API is, from its deployment on; known before it."""
        return f"{self.endpoint_url}/_aws/execute-api/{self.api_id}/v1"

    @property
    def _digest(self) -> str:
        return hashlib.sha256(str(self.state).encode()).hexdigest()

    @property
    def endpoint_url(self) -> str:
        """Where AWS is."""
        return self.url("ministack")

    def port(self, part: str) -> int:
        """The part's port, chosen when first asked for."""
        return kept_port(self.ports_file, part)

    def url(self, part: str) -> str:
        """Where a part that speaks HTTP is."""
        return f"http://{HOST}:{self.port(part)}"

    def log(self, part: str) -> Path:
        """Where the part writes its log."""
        return self.state / "logs" / f"{part}.log"

    def pid_file(self, part: str) -> Path:
        """Where the part's process is written down."""
        return self.state / "pids" / f"{part}.pid"

    def environment(self) -> dict[str, str]:
        """What child processes see: this stack's AWS, and no trace of the user's own."""
        inherited = {
            name: value
            for name, value in _inherited().items()
            if not name.startswith(("AWS_", "SAM_", "PYTHON", "PAYNEXUS_"))
        }
        path = f"{VIRTUAL_ENVIRONMENT / 'bin'}:{inherited.get('PATH', '/usr/bin:/bin')}"
        return {**inherited, "PATH": path, **self.own_environment()}

    def own_environment(self) -> dict[str, str]:
        """The part of it that says which stack this is; the rest differs between terminals."""
        nowhere = str(self.state / "no-such-aws-file")
        return {
            **CREDENTIALS,
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_CONFIG_FILE": nowhere,
            "AWS_SHARED_CREDENTIALS_FILE": nowhere,
            "AWS_EC2_METADATA_DISABLED": "true",
            "PYTHONUNBUFFERED": "1",
        }


def _inherited() -> Mapping[str, str]:
    return os.environ  # noqa: TID251  # the tool's own border
