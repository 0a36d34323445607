"""The Python SDK for channel plugins. A plugin's module has a class `Channel` made by `exported` of what it implements, and
`Polling`, `MediaDownload`, `Templates` and `Preview` where it has them:

    from patchbay_plugin import Call, ChannelPlugin, exported

    class AcmeChat(ChannelPlugin):
        ...

    Channel = exported(AcmeChat)
"""

# A component has no files: what is imported later than at the build isn't there. These are what the standard library and plugins
# import lazily.
import base64  # noqa: F401
import datetime  # noqa: F401
import encodings.idna  # noqa: F401
import encodings.utf_8  # noqa: F401
import hashlib  # noqa: F401
import hmac  # noqa: F401
import importlib.util
import json  # noqa: F401
import pathlib
import re  # noqa: F401
import sys
import traceback  # noqa: F401
import typing  # noqa: F401
import urllib.parse  # noqa: F401
import warnings  # noqa: F401

# In a component the contract's modules are componentize-py's own; for tests and editors they lie beside the SDK.
if importlib.util.find_spec("wit_world") is None:
    sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "bindings"))

from wit_world.exports.channel import Check, Connected, Connecting, Outcome, Parsed, Reply, Report, Webhook  # noqa: E402
from wit_world.imports.types import Blob, Detail, Field  # noqa: E402

from . import content, crypto, event, http, kv, log  # noqa: E402
from .call import Call  # noqa: E402
from .failure import Failure  # noqa: E402
from .fields import field, header, value  # noqa: E402
from .groups import exported_download, exported_polling, exported_preview, exported_templates  # noqa: E402
from .hooks import ChannelPlugin, connected, disconnected, exported, sent  # noqa: E402

__all__ = [
    "Blob",
    "Call",
    "ChannelPlugin",
    "Check",
    "Connected",
    "Connecting",
    "Detail",
    "Failure",
    "Field",
    "Outcome",
    "Parsed",
    "Reply",
    "Report",
    "Webhook",
    "connected",
    "content",
    "crypto",
    "disconnected",
    "event",
    "exported",
    "exported_download",
    "exported_polling",
    "exported_preview",
    "exported_templates",
    "field",
    "header",
    "http",
    "kv",
    "log",
    "sent",
    "value",
]
