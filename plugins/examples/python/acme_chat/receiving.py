"""Webhooks: a batch of events each. The gateway has checked the signature already."""

import json
from typing import Any

from patchbay_plugin import Failure, content, event
from wit_world.imports.messages import Choice, Content, Conversation, Event, Happening_Chose, MediaKind, Party, ReceiptState


def parse(body: bytes) -> list[Event]:
    try:
        batch = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Failure.invalid("", str(error)) from None
    if not isinstance(batch, dict) or not isinstance(batch.get("events"), list):
        raise Failure.invalid("/events", "is no list")
    return [read for told in batch["events"] if isinstance(told, dict) and (read := one(told))]


def one(told: dict[str, Any]) -> Event | None:
    """One event, or none: what is new at Acme Chat, or isn't as its documents say, takes nothing of the others with it."""
    match told:
        case {"type": "message", "message": {"id": str(id), "from": {"id": str(person), **who}, **message}}:
            return written(told, id, person, who, message, echo=False)
        case {"type": "echo", "message": {"id": str(id), "to": {"id": str(person), **who}, **message}}:
            return written(told, id, person, who, message, echo=True)
        case {"type": "receipt", "message_id": str(id), "state": "delivered" | "read" | "failed" as state}:
            return receipt(told, id, state)
        case {"type": "pressed", "id": str(id), "from": {"id": str(person), **who}, "button": {"id": str(button), **shown}}:
            choice = Choice(text(told, "message_id"), button, text(shown, "title") or "", None)
            return event.of(
                f"event:{id}",
                Happening_Chose(choice),
                conversation=conversation(person, who),
                actor=party(person, who),
                at_ms=time(told),
            )
        case _:
            return None


def written(told: dict[str, Any], id: str, person: str, who: dict[str, Any], message: dict[str, Any], echo: bool) -> Event:
    return event.message(
        # A message is the same message, however often and in whichever event it is told.
        f"message:{id}",
        id,
        conversation(person, who),
        party(person, who),
        contents(message),
        at_ms=time(told),
        echo=echo,
        reply_to=text(message, "reply_to"),
    )


KINDS = {"image": MediaKind.IMAGE, "video": MediaKind.VIDEO, "audio": MediaKind.AUDIO}


def contents(message: dict[str, Any]) -> list[Content]:
    words = text(message, "text")
    match message.get("media"):
        case {"url": str(url), **media}:
            kind = KINDS.get(text(media, "kind") or "", MediaKind.DOCUMENT)
            names = {"mime_type": text(media, "mime_type"), "file_name": text(media, "file_name")}
            return [content.media(kind, content.url(url), caption=words, **names)]
        case _:
            return [content.text(words)] if words else []


STATES = {"delivered": ReceiptState.DELIVERED, "read": ReceiptState.READ, "failed": ReceiptState.FAILED}


def receipt(told: dict[str, Any], id: str, state: str) -> Event:
    failure = None
    match told.get("error"):
        case {"code": str(code), **more}:
            failure = Failure.recipient(code, text(more, "message") or "")
    return event.receipt(f"receipt:{id}:{state}", [id], STATES[state], at_ms=time(told), failure=failure)


def conversation(person: str, who: dict[str, Any]) -> Conversation:
    return event.direct(person, text(who, "name"))


def party(person: str, who: dict[str, Any]) -> Party:
    return event.party("acme", person, text(who, "name"))


def text(told: dict[str, Any], name: str) -> str | None:
    value = told.get(name)
    return value if isinstance(value, str) and value else None


def time(told: dict[str, Any]) -> float | None:
    value = told.get("at")
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
