"""The account and the time that a hook is called with."""

import json
from typing import Any

from wit_world.imports import types

from .fields import value


class Call:
    """What the contract hands over, with the settings read."""

    def __init__(self, call: types.Call) -> None:
        self.account: types.Account = call.account
        self.attempt: int = call.attempt
        self.deadline_ms: float = call.deadline_ms
        self.extras: list[types.Field] = call.extras
        self.settings: dict[str, Any] = json.loads(call.account.settings)
        """The account's settings, which the gateway has checked against the schema."""

    @property
    def webhook_url(self) -> str | None:
        """Where the account's webhooks have to go."""
        return value(self.extras, "webhook_url")

    @property
    def now_ms(self) -> float:
        """The time, in milliseconds since 1970: a plugin has no clock of its own."""
        return float(value(self.extras, "now_ms") or 0)
