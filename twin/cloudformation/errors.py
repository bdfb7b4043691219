"""CloudFormation's errors, as the API answers them.

CloudFormationError
├── ValidationError                    the request or the template is wrong, or the stack is not in a state for it
├── InsufficientCapabilitiesException  the template makes IAM resources and the caller did not acknowledge it
└── AlreadyExistsException             a stack of that name lives already
"""

from moto.core.exceptions import ServiceException


class CloudFormationError(ServiceException):  # type: ignore[misc]  # moto ships no types
    """Any refusal of CloudFormation; answered in the API's own error shape."""

    message: str


class ValidationError(CloudFormationError):
    """The request or the template is wrong, or the stack is not in a state for it."""

    code = "ValidationError"


class NoUpdatesError(ValidationError):
    """The stack is already what is asked for."""

    def __init__(self) -> None:
        super().__init__("No updates are to be performed.")


class InsufficientCapabilitiesException(CloudFormationError):  # noqa: N818 - the API's own name
    """The template makes IAM resources and the caller did not acknowledge it."""

    code = "InsufficientCapabilitiesException"


class AlreadyExistsException(CloudFormationError):  # noqa: N818 - the API's own name
    """A stack of that name lives already."""

    code = "AlreadyExistsException"


class ChangeSetNotFoundException(CloudFormationError):  # noqa: N818 - the API's own name
    """No change set of that name."""

    code = "ChangeSetNotFoundException"


class InvalidChangeSetStatusException(CloudFormationError):  # noqa: N818 - the API's own name
    """The change set cannot be executed."""

    code = "InvalidChangeSetStatusException"
