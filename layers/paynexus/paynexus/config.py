"""Settings: read from the environment once, here and nowhere else."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self

from paynexus.errors import ConfigurationError

PREFIX = "PAYNEXUS_"


@dataclass(frozen=True, slots=True)
class Settings:
    """Names and addresses of what a function works with; never a secret itself.

    An absent setting is empty and fails when it is first asked for through `require`.
    """

    stage: str = ""
    database_secret: str = ""
    keys_secret: str = ""
    redis_url: str = ""
    token_key_alias: str = ""
    ledger_key_ids: str = ""
    issuer: str = ""
    cors_origin: str = ""
    bus_name: str = ""
    workflow_arn: str = ""
    test_gateways: str = "sandbox"
    live_gateways: str = ""
    sandbox_acquirer_url: str = ""
    sandbox_two_url: str = ""
    stripe_url: str = ""
    bank_bucket: str = ""
    notification_queue_url: str = ""
    webhook_networks: str = ""
    changefeed_slot: str = "paynexus_changes"
    requests_per_minute: str = "6000"
    value_per_minute: str = "10000000"

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Self:  # noqa: TID251 - the one reader
        """The settings that `env` holds under `PAYNEXUS_` and the field's name."""
        given = {
            field.name: env[PREFIX + field.name.upper()]
            for field in fields(cls)
            if PREFIX + field.name.upper() in env
        }
        return cls(**given)

    def require(self, name: str) -> str:
        """The value of `name`; ConfigurationError names the variable when it is empty."""
        value: str = getattr(self, name)
        if not value:
            raise ConfigurationError(f"set {PREFIX}{name.upper()}: this function needs it")
        return value

    def whole_number(self, name: str, *, at_most: int) -> int:
        """The value of `name`; ConfigurationError unless it is a number from 1 to `at_most`."""
        value: str = getattr(self, name)
        if value.isascii() and value.isdigit() and 1 <= int(value[:20]) <= at_most:
            return int(value)
        raise ConfigurationError(f"set {PREFIX}{name.upper()} to a number from 1 to {at_most}")

    def gateways(self) -> dict[str, tuple[str, ...]]:
        """The gateways of each mode, in the order in which they are preferred."""
        return {"test": _parts(self.test_gateways), "live": _parts(self.live_gateways)}

    def networks(self) -> tuple[str, ...]:
        """Networks that webhooks may reach besides public ones, as CIDR strings."""
        return _parts(self.webhook_networks)


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
