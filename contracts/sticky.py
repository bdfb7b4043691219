"""Sticky assignment: where a user stands between 0 and 1 in an experiment, the same whenever and wherever it is computed.

    bucket("anna", "swims-dev") -> 0.4233...

A split of traffic gives everybody below 0.1, say, one version and the others another; who has been given one keeps it, and widening the
split moves nobody back. The experiment is part of the hash, so two experiments divide the same users independently of each other. SHA-256,
because its value is the same in every language, process and year, which Python's own hash is not.

Today no traffic is split by it: predict only tells the caller the bucket of the user that it names. Nothing of the user is kept.
"""

import hashlib

LONGEST_USER = 256
_BITS = 53  # what a float holds exactly, so that no bucket is rounded up to 1


def bucket(user: str, experiment: str) -> float:
    """0 <= bucket < 1, uniform over users. The length keeps experiment and user apart."""
    message = f"{len(experiment)}:{experiment}{user}".encode(errors="surrogatepass")
    digest = hashlib.sha256(message).digest()
    return (int.from_bytes(digest[:8]) >> (64 - _BITS)) / (1 << _BITS)
