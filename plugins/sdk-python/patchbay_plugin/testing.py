"""What a plugin's own tests need, under plain `python3 -m unittest`: a provider that is scripted. It takes the place of the gateway
in the modules that componentize-py has made of the contract."""

import hashlib
import hmac as _hmac
import json as _json
import secrets as _secrets
from dataclasses import dataclass
from dataclasses import field as _field
from typing import Any

from componentize_py_types import Err
from wit_world.exports import channel
from wit_world.imports import crypto, http, kv, log, messages, types


@dataclass
class Asked:
    """A request of the plugin's."""

    route: str
    request: http.Request

    @property
    def json(self) -> Any:
        """What it carried, read."""
        assert isinstance(self.request.body, http.Body_Bytes), "the request carries no bytes"
        return _json.loads(self.request.body.value)


@dataclass
class Provider:
    """A scripted provider and the rest of a test's world: nothing stored, no secrets. Making one takes the place of the one before."""

    script: list[tuple[str, Any]] = _field(default_factory=list)
    requests: list[Asked] = _field(default_factory=list)
    secrets: dict[str, bytes] = _field(default_factory=dict)
    kept: dict[str, kv.Entry] = _field(default_factory=dict)
    log: list[tuple[str, str, dict[str, str]]] = _field(default_factory=list)

    def __post_init__(self) -> None:
        http.send = self._send
        log.write = lambda level, message, fields: self.log.append((level.name.lower(), message, dict(fields)))
        kv.get = self.kept.get
        kv.set = self._set
        kv.delete = lambda key: self.kept.pop(key, None)
        crypto.has = lambda secret: secret in self.secrets
        crypto.digest = lambda algorithm, data: hashlib.new(algorithm.name.lower(), data).digest()
        crypto.hmac = self._hmac
        crypto.random = _secrets.token_bytes
        crypto.constant_time_equal = _hmac.compare_digest

    def answer(self, route: str, status: int, body: Any, **headers: str) -> "Provider":
        """The method, target and path of one request, `POST api /messages`, and its answer: JSON, or text or bytes as they are."""
        raw = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else _json.dumps(body).encode()
        fields = [types.Field(name.replace("_", "-"), value) for name, value in headers.items()]
        self.script.append((route, http.Response(status, fields, http.ResponseBody_Bytes(raw))))
        return self

    def not_sent(self, route: str, reason: str) -> "Provider":
        """The provider isn't reached: nothing is sent."""
        self.script.append((route, http.Problem_NotSent(reason)))
        return self

    def broken(self, route: str, reason: str) -> "Provider":
        """The connection breaks after the request was sent."""
        self.script.append((route, http.Problem_Broken(reason)))
        return self

    def _send(self, request: http.Request) -> http.Response:
        route = f"{request.method} {request.target} {request.path}"
        self.requests.append(Asked(route, request))
        place = next((place for place, (known, _) in enumerate(self.script) if known == route), None)
        assert place is not None, f"{route} was asked, and the script has no answer to it"
        _, answer = self.script.pop(place)
        if isinstance(answer, http.Response):
            return answer
        raise Err(answer)

    def _set(self, key: str, value: bytes, ttl_s: int | None, expected: int | None) -> int:
        stands = self.kept[key].version if key in self.kept else 0
        if expected is not None and expected != stands:
            raise Err(kv.Problem_Conflict(stands))
        self.kept[key] = kv.Entry(value, stands + 1)
        return stands + 1

    def _hmac(self, secret: str, algorithm: crypto.HashAlgorithm, data: bytes) -> bytes:
        if secret not in self.secrets:
            raise Err(crypto.Problem_UnknownSecret(secret))
        return _hmac.digest(self.secrets[secret], data, algorithm.name.lower())


def account(settings: dict[str, Any] | None = None, external_id: str | None = None) -> types.Account:
    """An account with these settings."""
    return types.Account("019a0000-0000-7000-8000-000000000001", external_id, _json.dumps(settings or {}))


def call(settings: dict[str, Any] | None = None, external_id: str | None = None) -> types.Call:
    """A call for an account with these settings, with ten seconds to go."""
    extras = [types.Field("webhook_url", "https://gateway.example/webhooks/x"), types.Field("now_ms", "1764000100000")]
    return types.Call(account(settings, external_id), 1, 10_000.0, extras)


def outbound(to: str, contents: list[messages.Content], reply_to: str | None = None) -> messages.Outbound:
    """A message of these contents to a recipient."""
    command = messages.Command_Message(contents)
    return messages.Outbound("019a0000-0000-7000-8000-0000000000aa", to, None, reply_to, command, None, [], [])


def webhook(body: Any) -> channel.Webhook:
    """A webhook of an account with that body: text, or what becomes JSON."""
    raw = body.encode() if isinstance(body, str) else _json.dumps(body).encode()
    return channel.Webhook(account(), "POST", "", [], [], raw, "test", [])
