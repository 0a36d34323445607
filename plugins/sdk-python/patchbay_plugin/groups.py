"""The optional groups, each exported by a class of its name: `Polling = exported_polling(poll)`."""

import json
from collections.abc import Callable
from typing import Any

from wit_world.imports import messages, types

from .call import Call
from .hooks import answering

# The modules of the groups are there only in a component that exports them: their types are the plugin's to name.


def exported_polling(poll: Callable[[Call, bytes | None], Any]) -> type:
    """For plugins that ask instead of being told; answers `wit_world.exports.polling.Page`."""

    class Polling:
        def poll(self, call: types.Call, cursor: bytes | None) -> Any:
            return answering(lambda: poll(Call(call), cursor))

    return Polling


def exported_download(download: Callable[[Call, str], types.Blob]) -> type:
    """For providers that name files instead of sending them: the class is `MediaDownload`."""

    class MediaDownload:
        def download(self, call: types.Call, provider_ref: str) -> types.Blob:
            return answering(lambda: download(Call(call), provider_ref))

    return MediaDownload


def exported_templates(list_templates: Callable[[Call, str | None], Any]) -> type:
    """For providers with templates that have to be approved; answers `wit_world.exports.templates.TemplatePage`."""

    class Templates:
        def list_templates(self, call: types.Call, cursor: str | None) -> Any:
            return answering(lambda: list_templates(Call(call), cursor))

    return Templates


def exported_preview(preview: Callable[[types.Account, messages.Outbound], dict[str, Any]]) -> type:
    """What can be told of a message before it is queued."""

    class Preview:
        def preview(self, account: types.Account, message: messages.Outbound) -> str:
            return answering(lambda: json.dumps(preview(account, message)))

    return Preview
