"""What an account can set. The schema has been checked by the gateway; here is what a schema can't say."""

from typing import Any

from patchbay_plugin import Failure


def configure(settings: dict[str, Any]) -> dict[str, Any]:
    if "signature" not in settings:
        return settings
    signature = settings["signature"].strip()
    if not signature:
        raise Failure.invalid("/signature", "is blank: write something, or leave it out")
    return settings | {"signature": signature}
