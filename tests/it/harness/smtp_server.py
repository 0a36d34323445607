"""A real SMTP server for the end-to-end suite: aiosmtpd, with a certificate and logins.

It is told what to do as JSON on the command line, prints its ports as JSON, and ends when its standard input does. A
letter that it takes becomes two files in the folder: N.json with the envelope, and then N.eml.
"""

import asyncio
import base64
import json
import os
import ssl
import sys
import urllib.request

from aiosmtpd.smtp import MISSING, SMTP, AuthResult, Envelope, LoginPassword

told = json.loads(sys.argv[1])


class Server(SMTP):
    """One connection; its number says which letters came over the same one."""

    connections = 0

    def connection_made(self, transport):
        if not self.transport:  # not again after STARTTLS
            Server.connections += 1
            self.number = Server.connections
        super().connection_made(transport)


def good_token(user, token):
    try:
        with urllib.request.urlopen(told["token_info"] + token, timeout=10) as answer:
            return json.load(answer).get("email") == user
    except OSError:
        return False


class Handler:
    taken = 0

    async def auth_XOAUTH2(self, server, args):
        said = args[1] if len(args) > 1 else await server.challenge_auth("", encode_to_b64=False)
        if said is MISSING:
            return AuthResult(success=False, handled=False)
        said = base64.b64decode(said) if isinstance(said, str) else said
        fields = dict(part.split("=", 1) for part in said.decode().split("\x01") if "=" in part)
        user, token = fields.get("user", ""), fields.get("auth", "").removeprefix("Bearer ")
        if await asyncio.to_thread(good_token, user, token):
            return AuthResult(success=True, auth_data=user)
        # The refusal proper comes after an answer.
        await server.challenge_auth('{"status":"401","schemes":"bearer"}')
        return AuthResult(success=False, handled=False)

    async def handle_DATA(self, server, session, envelope: Envelope):
        Handler.taken += 1
        name = os.path.join(told["folder"], f"{Handler.taken:06}")
        facts = {
            "connection": server.number,
            "encrypted": server.transport.get_extra_info("cipher") is not None,
            "user": session.auth_data if isinstance(session.auth_data, str) else None,
            "hello": session.host_name,
            "sender": envelope.mail_from,
            "sender_options": envelope.mail_options,
            "recipients": envelope.rcpt_tos,
        }
        write(name + ".json", json.dumps(facts).encode())
        write(name + ".eml", envelope.original_content)
        return "250 2.0.0 Ok: queued"


def write(path, content):
    with open(path + ".part", "wb") as file:
        file.write(content)
    os.rename(path + ".part", path)


def authenticate(server, session, envelope, mechanism, data):
    if not isinstance(data, LoginPassword):
        return AuthResult(success=False, handled=False)
    user, password = data.login.decode(), data.password.decode()
    if mechanism in told["mechanisms"] and told["users"].get(user) == password:
        return AuthResult(success=True, auth_data=user)
    return AuthResult(success=False, handled=False)


async def main():
    certificate = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.load_cert_chain(told["certificate"], told["key"])
    handler = Handler()
    every = {"PLAIN", "LOGIN", "XOAUTH2"}
    common = {
        "hostname": "smtp.acme.test",
        "data_size_limit": 64 * 1024 * 1024,
        "enable_SMTPUTF8": True,
        "auth_required": True,
        "authenticator": authenticate,
        "auth_exclude_mechanism": every - set(told["mechanisms"]),
    }

    def starttls():
        return Server(handler, tls_context=certificate, require_starttls=True, **common)

    def implicit():
        return Server(handler, auth_require_tls=False, **common)

    loop = asyncio.get_running_loop()
    servers = {
        "starttls": await loop.create_server(starttls, "127.0.0.1", 0),
        "tls": await loop.create_server(implicit, "127.0.0.1", 0, ssl=certificate),
    }
    print(json.dumps({name: server.sockets[0].getsockname()[1] for name, server in servers.items()}), flush=True)
    await asyncio.to_thread(sys.stdin.read)


asyncio.run(main())
