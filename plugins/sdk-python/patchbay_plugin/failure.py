"""The one error type: each kind says what the gateway does next."""

from collections.abc import Iterable

from wit_world.imports import types

from .fields import Fields, fields


def detail(code: object, message: str, extras: Fields = None) -> types.Detail:
    """A provider's code, or one of the plugin's README, and words for the operator."""
    return types.Detail(str(code), message, fields(extras))


class Failure(Exception):
    """Raised by a hook, it is what the gateway is told. `variant` is the contract's value."""

    def __init__(self, variant: types.Failure) -> None:
        super().__init__(words(variant))
        self.variant = variant

    @staticmethod
    def invalid(pointer: str, message: str) -> "Failure":
        """The settings or the message are wrong. `pointer` is the JSON pointer of the field: `/token`."""
        return Failure.invalid_fields([(pointer, message)])

    @staticmethod
    def invalid_fields(problems: Iterable[tuple[str, str]]) -> "Failure":
        """The same with several fields."""
        return Failure(types.Failure_Invalid([types.FieldProblem(pointer, message) for pointer, message in problems]))

    @staticmethod
    def unauthorized(code: object, message: str, extras: Fields = None) -> "Failure":
        """The credential is dead: the account waits for a new one, its queue is parked."""
        return Failure(types.Failure_Unauthorized(detail(code, message, extras)))

    @staticmethod
    def forbidden(code: object, message: str, extras: Fields = None) -> "Failure":
        """The credential lives but lacks a permission: the account is degraded, its queue is parked."""
        return Failure(types.Failure_Forbidden(detail(code, message, extras)))

    @staticmethod
    def limited(after_ms: float | None, code: object, message: str, extras: Fields = None) -> "Failure":
        """The provider throttles. `after_ms`: how long it asks to wait; the attempt isn't counted."""
        return Failure(types.Failure_Limited(types.Retry(after_ms, detail(code, message, extras))))

    @staticmethod
    def unavailable(code: object, message: str, extras: Fields = None) -> "Failure":
        """Certainly not accepted: the gateway sends it again."""
        return Failure(types.Failure_Unavailable(types.Retry(None, detail(code, message, extras))))

    @staticmethod
    def uncertain(code: object, message: str, extras: Fields = None) -> "Failure":
        """Perhaps accepted: the gateway never resends it blindly."""
        return Failure(types.Failure_Uncertain(detail(code, message, extras)))

    @staticmethod
    def recipient(code: object, message: str, extras: Fields = None) -> "Failure":
        """The recipient can't be reached, now or later."""
        return Failure(types.Failure_Recipient(detail(code, message, extras)))

    @staticmethod
    def window_closed(code: object, message: str, extras: Fields = None) -> "Failure":
        """The reply window is closed. Name the way out in the message."""
        return Failure(types.Failure_WindowClosed(detail(code, message, extras)))

    @staticmethod
    def rejected(code: object, message: str, extras: Fields = None) -> "Failure":
        """Refused for good for another reason."""
        return Failure(types.Failure_Rejected(detail(code, message, extras)))

    @staticmethod
    def unsupported(code: object, message: str, extras: Fields = None) -> "Failure":
        """This channel can't carry that content."""
        return Failure(types.Failure_Unsupported(detail(code, message, extras)))

    @staticmethod
    def fault(code: object, message: str, extras: Fields = None) -> "Failure":
        """A fault of the plugin itself: it counts towards its breaker."""
        return Failure(types.Failure_Fault(detail(code, message, extras)))


def words(variant: types.Failure) -> str:
    """On one line."""
    match variant:
        case types.Failure_Invalid(problems):
            return "; ".join(f"{problem.pointer}: {problem.message}" for problem in problems)
        case types.Failure_Limited(retry) | types.Failure_Unavailable(retry):
            return f"{retry.detail.code}: {retry.detail.message}"
        case other:
            return f"{other.value.code}: {other.value.message}"
