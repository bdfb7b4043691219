"""Inference ids: what joins a prediction with what was captured of it, and with its label hours or weeks later.

A request has one id, which SageMaker writes into the captured record (InferenceId, at most 64 characters:
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html). Labels are given by row: the only row of a
request has the request's own id, row n of many (from 1) has `<id>-<n>`. Whoever chooses ids keeps them apart, those of rows included.
"""

import re
from collections.abc import Iterator

LONGEST_ID = 64
LONGEST_REQUEST_ID = 56  # leaves room for the numbers of 9,999,999 rows
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]*")


def is_inference_id(text: str, longest: int = LONGEST_ID) -> bool:
    """Whether a text may be an inference id: letters, digits and `._:-`, the first a letter or digit, at most `longest` characters."""
    return len(text) <= longest and _ID.fullmatch(text) is not None


def row_ids(request_id: str, rows: int) -> Iterator[str]:
    """The ids of a request's rows, in their order."""
    if rows == 1:
        yield request_id
    else:
        yield from (f"{request_id}-{number}" for number in range(1, rows + 1))
