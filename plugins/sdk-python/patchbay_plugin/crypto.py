"""Keys are named, never read."""

from componentize_py_types import Err
from wit_world.imports import crypto as host
from wit_world.imports.crypto import HashAlgorithm, SignAlgorithm

__all__ = ["CryptoProblem", "HashAlgorithm", "SignAlgorithm", "constant_time_equal", "digest", "has", "hmac", "public_key", "random", "sign"]


class CryptoProblem(Exception):
    """There is no such secret, or it is no key of that kind."""


def digest(data: bytes, algorithm: HashAlgorithm = HashAlgorithm.SHA256) -> bytes:
    """A hash."""
    return host.digest(algorithm, data)


def has(secret: str) -> bool:
    """Whether the account has that secret."""
    return host.has(secret)


def hmac(secret: str, data: bytes, algorithm: HashAlgorithm = HashAlgorithm.SHA256) -> bytes:
    """A keyed hash."""
    try:
        return host.hmac(secret, algorithm, data)
    except Err as error:
        raise CryptoProblem(f"{type(error.value).__name__}: {error.value.value}") from None


def sign(secret: str, algorithm: SignAlgorithm, data: bytes) -> bytes:
    """A signature."""
    try:
        return host.sign(secret, algorithm, data)
    except Err as error:
        raise CryptoProblem(f"{type(error.value).__name__}: {error.value.value}") from None


def public_key(secret: str) -> bytes:
    """The raw public key of a signing secret."""
    try:
        return host.public_key(secret)
    except Err as error:
        raise CryptoProblem(f"{type(error.value).__name__}: {error.value.value}") from None


def constant_time_equal(a: bytes, b: bytes) -> bool:
    """Whether they are the same, in a time that tells nothing."""
    return host.constant_time_equal(a, b)


def random(length: int) -> bytes:
    """Bytes that nobody can guess, at most 1,024: Python's own `random` and `secrets` have none here."""
    return host.random(length)
