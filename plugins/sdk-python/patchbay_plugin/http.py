"""The only way out. A request names one of the manifest's egress targets, which fixes the host and the credential: the plugin
never sees the credential.

A request that writes may have been carried out although no answer came: then it fails as `uncertain`, which the gateway never resends
blindly. One whose repetition does no harm says so with `repeatable=True` (GET and HEAD do from the start): then it fails as `unavailable`,
and is tried again."""

import json as _json
from collections.abc import Iterable, Mapping
from typing import Any

from componentize_py_types import Err
from wit_world.imports import http as host
from wit_world.imports.types import Blob, Field

from .failure import Failure
from .fields import Fields, fields
from .fields import header as _header

_NOTHING = object()

_DENIALS = {
    host.Denial.UNKNOWN_TARGET: (Failure.fault, "egress_unknown_target", "the manifest has no such egress target"),
    host.Denial.NOT_GRANTED: (Failure.forbidden, "egress_not_granted", "the operator hasn't granted this egress target"),
    host.Denial.BLOCKED_ADDRESS: (Failure.forbidden, "egress_blocked_address", "the host resolves to an address that the gateway doesn't call"),
    host.Denial.CREDENTIAL_MISSING: (Failure.unauthorized, "credential_missing", "a credential of this egress target isn't set"),
    host.Denial.TOO_LARGE: (Failure.rejected, "egress_too_large", "the request or the response is larger than the egress target allows"),
    host.Denial.QUOTA: (Failure.unavailable, "egress_quota", "the call has used up its requests"),
}


class Response:
    """A provider's answer, of whatever status."""

    def __init__(self, response: host.Response, repeatable: bool) -> None:
        self.status: int = response.status
        self.headers: list[Field] = response.headers
        self.repeatable: bool = repeatable
        self.bytes: bytes = response.body.value if isinstance(response.body, host.ResponseBody_Bytes) else b""
        """The body, empty where it went to a blob."""
        self.blob: Blob | None = response.body.value if isinstance(response.body, host.ResponseBody_Blob) else None
        """The body's blob, where the request asked for one."""

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    @property
    def retry_after_ms(self) -> float | None:
        """`Retry-After` in milliseconds, where it is a number of seconds."""
        seconds = (self.header("retry-after") or "").strip()
        return float(seconds) * 1000 if seconds.isascii() and seconds.isdigit() else None

    def header(self, name: str) -> str | None:
        """The first header of that name, in any case."""
        return _header(self.headers, name)

    def json(self) -> Any:
        """The body as JSON; fails where it isn't."""
        try:
            return _json.loads(self.bytes)
        except ValueError as error:
            raise self.not_understood(str(error)) from None

    def json_or_none(self) -> Any:
        """The body as JSON, or None where it isn't."""
        try:
            return _json.loads(self.bytes)
        except ValueError:
            return None

    def not_understood(self, reason: str) -> Failure:
        """The answer isn't what the protocol says: a failure that knows whether the request may be repeated."""
        words = f"the provider answered {self.status}, and not as expected: {reason}"
        # A success that can't be read may still have been one.
        doubt = self.status < 300 and not self.repeatable
        return Failure.uncertain("not_understood", words) if doubt else Failure.unavailable("not_understood", words)


def request(
    method: str,
    target: str,
    path: str,
    *,
    json: Any = _NOTHING,
    form: Fields = None,
    body: bytes | str | None = None,
    multipart: Iterable[host.Part] | None = None,
    blob: Blob | None = None,
    piece: host.Piece | None = None,
    query: Fields = None,
    headers: Fields = None,
    timeout_ms: int | None = None,
    into_blob: bool = False,
    capture: Mapping[str, str] | None = None,
    repeatable: bool | None = None,
) -> Response:
    """Sends a request; every status is an answer. `capture` lifts JSON pointers of the answer into named secrets."""
    repeatable = method in ("GET", "HEAD") if repeatable is None else repeatable
    written = fields(headers)
    content: host.Body = host.Body_Empty()
    if json is not _NOTHING:
        content = host.Body_Bytes(_json.dumps(json, ensure_ascii=False).encode())
        written.append(Field("content-type", "application/json"))
    elif form is not None:
        content = host.Body_Form(fields(form))
    elif multipart is not None:
        content = host.Body_Multipart(list(multipart))
    elif blob is not None:
        content = host.Body_Blob(blob)
    elif piece is not None:
        content = host.Body_Piece(piece)
    elif body is not None:
        content = host.Body_Bytes(body.encode() if isinstance(body, str) else body)
    lifted = [host.Capture(pointer, secret) for pointer, secret in (capture or {}).items()]
    asked = host.Request(target, method, path, fields(query), written, content, timeout_ms, into_blob, lifted)
    try:
        return Response(host.send(asked), repeatable)
    except Err as error:
        raise _failure(error.value, repeatable) from None


def get(target: str, path: str, **options: Any) -> Response:
    """A request that reads."""
    return request("GET", target, path, **options)


def post(target: str, path: str, **options: Any) -> Response:
    """A request that writes, unless it is called repeatable."""
    return request("POST", target, path, **options)


def put(target: str, path: str, **options: Any) -> Response:
    """The same by PUT."""
    return request("PUT", target, path, **options)


def delete(target: str, path: str, **options: Any) -> Response:
    """The same by DELETE."""
    return request("DELETE", target, path, **options)


def _failure(problem: host.Problem, repeatable: bool) -> Failure:
    """What is known to have been sent decides."""
    match problem:
        case host.Problem_Denied(denial):
            kind, code, words = _DENIALS[denial]
            return kind(code, words)
        case host.Problem_NotSent(reason):
            return Failure.unavailable("not_sent", f"nothing was sent: {reason}")
        case host.Problem_Broken(reason):
            words = f"the connection broke after the request was sent: {reason}"
            return Failure.unavailable("broken", words) if repeatable else Failure.uncertain("broken", words)
