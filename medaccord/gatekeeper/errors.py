"""What a gatekeeper's own endpoints can object to, beside the errors of the trust core.

InvalidInput
├ NotFound                   no such thing here, or none that the asker may know of
├ Conflict                   it is there already, in a state that does not go with the request
├ BodyTooLarge               the request is longer than any honest one
├ WrongMediaType             the body is of a type that is not taken
├ NotAcceptable              the answer is not to be had in the form asked for
├ TokenRefused               a token request gets no token, in OAuth's words
├ RequestTooSlow             the request did not come in within its time
└ TooManyRequests            more than anybody honest asks for in that time
MedaccordError
├ Overloaded                 more is asked at once than can be answered
└ EnrolmentRefused           the code is wrong, used, expired or blocked; which of them is not told
"""

from medaccord.core.errors import InvalidInput, MedaccordError

__all__ = [
    "BodyTooLarge",
    "Conflict",
    "EnrolmentRefused",
    "NotAcceptable",
    "NotFound",
    "Overloaded",
    "RequestTooSlow",
    "TokenRefused",
    "TooManyRequests",
    "WrongMediaType",
]


class NotFound(InvalidInput):
    """There is no such thing at this gatekeeper."""


class Conflict(InvalidInput):
    """What is asked for is there already, in a state that does not go with the request."""


class BodyTooLarge(InvalidInput):
    """The body of a request exceeds the bound."""


class WrongMediaType(InvalidInput):
    """The body of a request is of a type that this path does not take."""


class NotAcceptable(InvalidInput):
    """The answer is not to be had in the form that the request asks for."""


class RequestTooSlow(InvalidInput):
    """A request did not come in within its time."""


class TooManyRequests(InvalidInput):
    """A limit was reached; the message says when to come again.

    Attributes:
        retry_after: whole seconds until it is worth asking again, at least 1.
    """

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = max(1, retry_after)


class TokenRefused(InvalidInput):
    """A token request gets no token.

    Attributes:
        code: OAuth's code. Source: RFC 6749, section 5.2.
    """

    def __init__(self, code: str, problem: str) -> None:
        super().__init__(problem)
        self.code = code


class EnrolmentRefused(MedaccordError):
    """The enrolment code does not open anything.

    A wrong, a used, an expired and a blocked code are told apart nowhere outside the steward.
    """


class Overloaded(MedaccordError):
    """More is asked at once than can be answered; it says nothing about the asker.

    Attributes:
        retry_after: whole seconds until it is worth asking again.
    """

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after
