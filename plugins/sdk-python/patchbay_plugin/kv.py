"""A small store for each plugin and account."""

from componentize_py_types import Err
from wit_world.imports import kv as host


class KvProblem(Exception):
    """Why a value wasn't kept. `version` is what stands, where another was faster."""

    def __init__(self, problem: host.Problem) -> None:
        self.version: int | None = problem.value if isinstance(problem, host.Problem_Conflict) else None
        super().__init__("another was faster" if self.version is not None else type(problem).__name__)


def get(key: str) -> host.Entry | None:
    """The value with its version."""
    return host.get(key)


def get_text(key: str) -> str | None:
    """The value as text."""
    entry = host.get(key)
    return entry.value.decode() if entry else None


def set(key: str, value: bytes | str, *, ttl_s: int | None = None, expected: int | None = None) -> int:
    """Keeps bytes or text; answers the version. `expected=0` writes only where there is nothing, `expected=v` only over version v."""
    try:
        return host.set(key, value.encode() if isinstance(value, str) else value, ttl_s, expected)
    except Err as error:
        raise KvProblem(error.value) from None


def delete(key: str) -> None:
    """Forgets it."""
    host.delete(key)
