"""From a plugin's class to the component's exports. Whatever a hook raises becomes an answer: a `Failure` as it is, and everything
else a fault with its text and its traceback in the account's log."""

import json
import traceback
from collections.abc import Callable
from typing import Any, TypeVar

from componentize_py_types import Err
from wit_world.exports import channel
from wit_world.imports import messages, types

from . import log
from .call import Call
from .failure import Failure
from .fields import Fields, fields

Answer = TypeVar("Answer")


class ChannelPlugin:
    """The five hooks. `configure` and `health` have a default."""

    def configure(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Pure: checks settings and returns them normalised. No network, no clock."""
        return settings

    def connect(self, call: Call, input: channel.Connecting) -> channel.Outcome:
        """Brings an account into service, step by step: see `connected`."""
        raise NotImplementedError

    def send(self, call: Call, message: messages.Outbound) -> messages.Sent | str:
        """One message or command. The provider's id alone is the answer where it became one part."""
        raise NotImplementedError

    def parse_inbound(self, webhook: channel.Webhook) -> channel.Parsed | list[messages.Event]:
        """Every event of the body, in order. Pure but for `crypto`."""
        raise NotImplementedError

    def health(self, call: Call) -> channel.Report:
        """Named checks, and facts of the account."""
        return channel.Report([], [])


def connected(external_id: str, display_name: str, facts: Fields = None, routes: list[str] | None = None) -> channel.Outcome:
    """The account is in service."""
    told = channel.Connected(external_id, display_name, None, fields(facts), routes or [])
    return channel.Outcome(channel.Progress_Connected(told), None)


def disconnected(call: Call) -> channel.Outcome:
    """The provider has forgotten the account."""
    return connected(call.account.external_id or "", "")


def sent(*external_ids: str | None, failed: Failure | None = None, events: list[messages.Event] | None = None) -> messages.Sent:
    """What was accepted, part by part, counts even where a later part failed."""
    accepted = [messages.Accepted(part, external_id, []) for part, external_id in enumerate(external_ids)]
    return messages.Sent(accepted, failed.variant if failed else None, events or [])


def exported(plugin: type[ChannelPlugin]) -> type:
    """The class `Channel` that the component exports."""
    hooks = plugin()

    class Channel:
        def configure(self, settings: str) -> str:
            return answering(lambda: json.dumps(hooks.configure(json.loads(settings))))

        def connect(self, call: types.Call, input: channel.Connecting) -> channel.Outcome:
            return answering(lambda: hooks.connect(Call(call), input))

        def send(self, call: types.Call, message: messages.Outbound) -> messages.Sent:
            try:
                answer = hooks.send(Call(call), message)
            except Exception as error:
                return messages.Sent([], failure(error), [])
            return sent(answer) if isinstance(answer, str) else answer

        def parse_inbound(self, webhook: channel.Webhook) -> channel.Parsed:
            answer = answering(lambda: hooks.parse_inbound(webhook))
            return channel.Parsed(answer, None) if isinstance(answer, list) else answer

        def health(self, call: types.Call) -> channel.Report:
            return answering(lambda: hooks.health(Call(call)))

    return Channel


def answering(hook: Callable[[], Answer]) -> Answer:
    """What the hook answers; `Err` is the error of the contract's result."""
    try:
        return hook()
    except Exception as error:
        raise Err(failure(error)) from None


def places(error: Exception) -> str:
    """Where it was raised, the outermost first. Without the lines of source that `traceback` would add: a component has no files, and
    whoever looks for one is ended."""
    frames = traceback.walk_tb(error.__traceback__)
    return "\n".join(f"{frame.f_code.co_filename}:{line} in {frame.f_code.co_name}" for frame, line in frames)


def failure(error: Exception) -> types.Failure:
    """What was raised, in the contract's words."""
    if isinstance(error, Failure):
        return error.variant
    text = f"{type(error).__name__}: {error}"
    log.error(text, at=places(error))
    return Failure.fault("exception", text).variant
