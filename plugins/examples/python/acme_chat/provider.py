"""Acme Chat's API: its answers, and what its refusals mean to the gateway."""

from typing import Any

from patchbay_plugin import Failure, http


def me() -> dict[str, Any]:
    """Whose token it is: `id`, `name`, `plan`, `webhook_url`."""
    return ask("GET", "api", "/me")


def ask(method: str, target: str, path: str, **options: Any) -> Any:
    """Sends a request; the answer is a success that could be read, or a failure."""
    response = http.request(method, target, path, **options)
    if not response.ok:
        raise failure(response)
    return response.json()


def failure(response: http.Response) -> Failure:
    """Each of the provider's refusals in the words of the gateway: the kind says what happens next."""
    # What a proxy answers is no JSON.
    told = response.json_or_none()
    error = told.get("error", {}) if isinstance(told, dict) else {}
    code, message = error.get("code", str(response.status)), error.get("message", "")
    match response.status, code:
        case 401, _:
            return Failure.unauthorized(code, f"{message}: make a new token in the workspace's settings")
        case _, "blocked" | "unknown_recipient":
            return Failure.recipient(code, message)
        case _, "window_closed":
            return Failure.window_closed(code, f"{message}: the person has to write first")
        case 403, _:
            return Failure.forbidden(code, f"{message}: give the token that right in the workspace's settings")
        case 429, _:
            return Failure.limited(response.retry_after_ms, code, message)
        case 422, _ if error.get("field") == "to":
            return Failure.invalid("/to", message)
        # A whole answer, though of 5xx, is the server's word that it did nothing.
        case status, _ if status >= 500:
            return Failure.unavailable(code, message)
        case _:
            return Failure.rejected(code, message)
