"""The account's log. Bodies, tokens and addresses don't belong in it."""

from wit_world.imports import log as host


def _write(level: host.Level, message: object, fields: dict[str, object]) -> None:
    host.write(level, str(message), [(name, str(value)) for name, value in fields.items()])


def debug(message: object, **fields: object) -> None:
    """For whoever looks for a fault."""
    _write(host.Level.DEBUG, message, fields)


def info(message: object, **fields: object) -> None:
    """What happened, and is fine."""
    _write(host.Level.INFO, message, fields)


def warn(message: object, **fields: object) -> None:
    """What somebody should look at some day."""
    _write(host.Level.WARN, message, fields)


def error(message: object, **fields: object) -> None:
    """What is broken."""
    _write(host.Level.ERROR, message, fields)
