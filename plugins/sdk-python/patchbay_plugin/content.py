"""What messages hold: the contract's variants, made."""

import json as _json
from typing import Any

from wit_world.imports import messages
from wit_world.imports.messages import MediaKind


def text(body: str) -> messages.Content:
    """A text as it stands, with link previews."""
    return messages.Content_Text(messages.Text(body, messages.TextFormat.PLAIN, True))


def media(
    kind: MediaKind,
    source: messages.Source,
    *,
    mime_type: str | None = None,
    file_name: str | None = None,
    size: int | None = None,
    caption: str | None = None,
    width: int | None = None,
    height: int | None = None,
    duration_ms: float | None = None,
) -> messages.Content:
    """A file; `source` is `url(…)`, `provider_ref(…)` or `blob_ref(…)`."""
    return messages.Content_Media(
        messages.Media(kind, source, mime_type, file_name, size, caption, width, height, duration_ms, [])
    )


def url(address: str) -> messages.Source:
    """A public address."""
    return messages.Source_Url(address)


def provider_ref(reference: str) -> messages.Source:
    """The provider's own reference: `MediaDownload` fetches it."""
    return messages.Source_ProviderRef(reference)


def blob_ref(reference: str) -> messages.Source:
    """A file of the gateway's."""
    return messages.Source_BlobRef(reference)


def custom(kind: str, json: Any) -> messages.Content:
    """A kind that the manifest names, with its JSON."""
    return messages.Content_Custom(messages.Custom(kind, _json.dumps(json)))
