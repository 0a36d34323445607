"""Facts that come in. `dedupe_key` has to be equal for every delivery of the same fact."""

from wit_world.imports import messages

from .failure import Failure
from .fields import Fields, fields


def of(
    dedupe_key: str,
    what: messages.Happening,
    *,
    account: str | None = None,
    conversation: messages.Conversation | None = None,
    actor: messages.Party | None = None,
    at_ms: float | None = None,
    follow_up: messages.Command | None = None,
    extras: Fields = None,
) -> messages.Event:
    """Any happening of the contract."""
    return messages.Event(dedupe_key, account, conversation, actor, at_ms, what, follow_up, fields(extras))


def message(
    dedupe_key: str,
    external_id: str,
    conversation: messages.Conversation,
    sender: messages.Party,
    content: list[messages.Content],
    *,
    at_ms: float | None = None,
    echo: bool = False,
    reply_to: str | None = None,
    origin: str = "direct",
    account: str | None = None,
) -> messages.Event:
    """A message; `echo` is what the business wrote elsewhere."""
    inbound = messages.Inbound(external_id, conversation, sender, echo, content, reply_to, [], False, origin, at_ms, None, [])
    return of(dedupe_key, messages.Happening_Message(inbound), account=account, conversation=conversation, at_ms=at_ms)


def receipt(
    dedupe_key: str,
    messages_: list[str],
    state: messages.ReceiptState,
    *,
    at_ms: float | None = None,
    failure: Failure | None = None,
    account: str | None = None,
) -> messages.Event:
    """What became of messages."""
    target = messages.ReceiptTarget_Messages(messages_)
    told = messages.Receipt(None, target, state, at_ms, failure.variant if failure else None)
    return of(dedupe_key, messages.Happening_Receipt(told), account=account, at_ms=at_ms)


def direct(external_id: str, title: str | None = None) -> messages.Conversation:
    """A conversation with one person."""
    return messages.Conversation(external_id, messages.ConversationKind.DIRECT, title)


def party(scheme: str, value: str, name: str | None = None) -> messages.Party:
    """A person by an id of that kind."""
    return messages.Party([messages.Identity(scheme, value)], name)
