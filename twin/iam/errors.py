"""What the twin's IAM refuses.

AccessDenied            the caller may not do this
PolicyError             a policy says something that the twin does not understand, so it is not evaluated by guess
"""


class AccessDenied(Exception):  # noqa: N818 - AWS's own name for it
    """The caller may not do this; the message is AWS's wording."""


class PolicyError(Exception):
    """A policy element that the twin does not know."""
