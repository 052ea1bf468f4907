"""What a gatekeeper's own endpoints can object to, beside the errors of the trust core.

InvalidInput
├ NotFound                   no such thing here, or none that the asker may know of
├ Conflict                   it is there already, in a state that does not go with the request
└ BodyTooLarge               the request is longer than any honest one
MedaccordError
└ EnrolmentRefused           the code is wrong, used, expired or blocked; which of them is not told
"""

from medaccord.core.errors import InvalidInput, MedaccordError

__all__ = ["BodyTooLarge", "Conflict", "EnrolmentRefused", "NotFound"]


class NotFound(InvalidInput):
    """There is no such thing at this gatekeeper."""


class Conflict(InvalidInput):
    """What is asked for is there already, in a state that does not go with the request."""


class BodyTooLarge(InvalidInput):
    """The body of a request exceeds the bound."""


class EnrolmentRefused(MedaccordError):
    """The enrolment code does not open anything.

    A wrong, a used, an expired and a blocked code are told apart nowhere outside the steward.
    """
