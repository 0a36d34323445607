"""The browser's side of a push by http_ece, which shares no code with the gateway.

Argument: {"open": {"private_key", "auth", "body"}} prints what the body says; {"seal": {"p256dh", "auth", "text"}} prints a body.
Keys and bodies are base64url without padding.
"""

import base64
import json
import sys

import http_ece
from cryptography.hazmat.primitives.asymmetric import ec


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def open_(private_key, auth, body):
    number = int.from_bytes(decode(private_key), "big")
    key = ec.derive_private_key(number, ec.SECP256R1())
    return http_ece.decrypt(decode(body), private_key=key, auth_secret=decode(auth), version="aes128gcm")


def seal(p256dh, auth, text):
    key = ec.generate_private_key(ec.SECP256R1())
    sealed = http_ece.encrypt(text.encode(), private_key=key, dh=decode(p256dh), auth_secret=decode(auth), version="aes128gcm")
    return base64.urlsafe_b64encode(sealed).rstrip(b"=")


for what, parameters in json.loads(sys.argv[1]).items():
    sys.stdout.buffer.write({"open": open_, "seal": seal}[what](**parameters))
