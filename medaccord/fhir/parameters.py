"""Parameters: the resource in which an operation's input travels by POST.

Source: FHIR R4, Parameters; section 3.2.0.1 (executing an operation).
"""

from medaccord.core.canonical import Number, Object, parse_object
from medaccord.core.errors import InvalidDocument, InvalidRequest

__all__ = ["read_parameters", "resource_of", "simple_pairs"]

_KINDS = ("valueDate", "valueInstant", "valueInteger", "valueCode", "valueString", "valueBoolean")


def read_parameters(body: bytes) -> list[Object]:
    """The parameters of a Parameters resource, in the order given.

    Raises:
        InvalidRequest: it is none.
    """
    try:
        resource = parse_object(body)
    except InvalidDocument as error:
        raise InvalidRequest(f"send a Parameters resource: {error}") from error
    parameters = resource.get("parameter", [])
    if resource.get("resourceType") != "Parameters" or not isinstance(parameters, list):
        raise InvalidRequest("send a Parameters resource")
    found = [each for each in parameters if isinstance(each, dict)]
    if len(found) < len(parameters) or not all(isinstance(each.get("name"), str) for each in found):
        raise InvalidRequest("each parameter is an object with a name")
    return found


def simple_pairs(body: bytes) -> list[tuple[str, str]]:
    """The names and values of parameters that are all simple, as an address would have them.

    Raises:
        InvalidRequest: it is no Parameters resource, or a parameter has another value, or none.
    """
    return [(str(each["name"]), _text(each)) for each in read_parameters(body)]


def resource_of(parameters: list[Object], name: str, resource_type: str) -> Object:
    """The one resource that a parameter holds.

    Raises:
        InvalidRequest: the parameter is not there, stands there twice, or holds another type.
    """
    found = [each.get("resource") for each in parameters if each["name"] == name]
    if len(found) != 1:
        raise InvalidRequest(f"the parameter {name} stands there once")
    resource = found[0]
    if not isinstance(resource, dict) or resource.get("resourceType") != resource_type:
        raise InvalidRequest(f"the parameter {name} holds a {resource_type}")
    return resource


def _text(parameter: Object) -> str:
    values = [value for kind, value in parameter.items() if kind in _KINDS]
    if len(values) != 1 or len(parameter) != 2:  # its name, and its value
        raise InvalidRequest(f"the parameter {parameter['name']} has one simple value")
    value = values[0]
    if isinstance(value, Number):
        return value.lexeme
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        raise InvalidRequest(f"the parameter {parameter['name']} has one simple value")
    return value
