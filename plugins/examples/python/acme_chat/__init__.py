"""Acme Chat: the hooks. `plugin build` takes the module that pyproject.toml calls `app`, and every module that it imports."""

from typing import Any

from patchbay_plugin import Call, ChannelPlugin, Connecting, Outcome, Report, Webhook, exported
from wit_world.imports.messages import Event, Outbound

from . import connecting, receiving, sending, settings


class AcmeChat(ChannelPlugin):
    def configure(self, settings_: dict[str, Any]) -> dict[str, Any]:
        return settings.configure(settings_)

    def connect(self, call: Call, input: Connecting) -> Outcome:
        return connecting.connect(call, input)

    def send(self, call: Call, message: Outbound) -> str:
        return sending.send(call, message)

    def parse_inbound(self, webhook: Webhook) -> list[Event]:
        return receiving.parse(webhook.body)

    def health(self, call: Call) -> Report:
        return connecting.health(call)


Channel = exported(AcmeChat)
