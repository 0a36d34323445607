"""A message becomes one request."""

from typing import Any

from patchbay_plugin import Call, Failure, http
from wit_world.imports import messages
from wit_world.imports.messages import MediaKind

from .provider import failure


BUTTONS_MAX = 3


def send(call: Call, message: messages.Outbound) -> str:
    if not isinstance(message.command, messages.Command_Message):
        raise Failure.unsupported("command", "Acme Chat lets messages be sent, and not changed")
    contents = message.command.value
    if len(contents) != 1:
        words = "an Acme Chat message is one text, one file or one text with buttons: send several messages"
        raise Failure.unsupported("content", words)
    json = {"to": message.to} | body(call.settings, contents[0])
    if message.reply_to:
        json["reply_to"] = message.reply_to
    response = http.post("api", "/messages", json=json)
    if not response.ok:
        raise failure(response)
    # Without an id nobody knows whether it is on its way: that is a doubt, and no success.
    answer = response.json()
    if not isinstance(answer, dict) or not isinstance(answer.get("id"), str):
        raise response.not_understood("there is no id")
    return answer["id"]


def body(settings: dict[str, Any], content: messages.Content) -> dict[str, Any]:
    match content:
        case messages.Content_Text(text):
            signature = settings.get("signature")
            return {"text": f"{text.body}\n\n{signature}" if signature else text.body}
        case messages.Content_Media(media):
            return file(media)
        case messages.Content_Interactive(interactive):
            return buttons(interactive)
        case _:
            raise Failure.unsupported("content", "Acme Chat carries texts, files and buttons")


KINDS = {
    MediaKind.IMAGE: "image",
    MediaKind.VIDEO: "video",
    MediaKind.ANIMATION: "video",
    MediaKind.AUDIO: "audio",
    MediaKind.VOICE: "audio",
    MediaKind.DOCUMENT: "file",
}


def file(media: messages.Media) -> dict[str, Any]:
    if not isinstance(media.source, messages.Source_Url):
        raise Failure.unsupported("source", "Acme Chat takes files by their address")
    told = {"kind": KINDS[media.kind], "url": media.source.value, "file_name": media.file_name}
    return {"text": media.caption, "media": told}


def buttons(interactive: messages.Interactive) -> dict[str, Any]:
    if not isinstance(interactive.choices, messages.Choices_Buttons):
        raise Failure.unsupported("choices", "Acme Chat has buttons, and neither menus nor cards")
    if len(interactive.choices.value) > BUTTONS_MAX:
        raise Failure.invalid(f"/content/0/buttons/{BUTTONS_MAX}", "Acme Chat takes three buttons: leave some out")
    told = []
    for place, button in enumerate(interactive.choices.value):
        if not isinstance(button.action, messages.Action_Reply):
            raise Failure.invalid(f"/content/0/buttons/{place}", "Acme Chat's buttons answer: give a reply")
        told.append({"id": button.action.value, "title": button.title})
    return {"text": interactive.body, "buttons": told}
