"""Lambda's quotas on what a function is configured with, gets and gives.

docs: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html (900 s; 4 KB of environment; 6 MB each way when somebody
waits, 1 MB when nobody does), https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html (reserved names).
Modelled: the environment's size is that of its names and values as JSON.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from twin.functions.worker_process import Reply

SYNCHRONOUS_BYTES = 6 * 1024 * 1024
ASYNCHRONOUS_BYTES = 1024 * 1024
ENVIRONMENT_BYTES = 4096
LONGEST_SECONDS = 900
RESERVED = frozenset(
    {
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
    }
)


def configuration_problem(spec: Mapping[str, Any]) -> str:
    """What Lambda refuses about a function's settings; "" for nothing. `spec` has the keys of CreateFunction."""
    if int(spec.get("Timeout") or 0) > LONGEST_SECONDS:
        return f"'Timeout' value failed to satisfy constraint: Member must have value less than or equal to {LONGEST_SECONDS}"
    variables = (spec.get("Environment") or {}).get("Variables") or {}
    reserved = sorted(RESERVED & variables.keys())
    if reserved:
        return (
            "Lambda was unable to configure your environment variables because the environment variables you have provided contains "
            f"reserved keys that are currently not supported for modification. Reserved keys used in this request: {', '.join(reserved)}"
        )
    size = len(json.dumps(variables, separators=(",", ":")).encode())
    if size > ENVIRONMENT_BYTES:
        return (
            "Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the "
            f"4KB limit: {size} bytes"
        )
    return ""


def answer_within_limit(reply: Reply) -> Reply:
    """The reply, or the error that Lambda gives in its place when it is too large."""
    if reply.error is not None or len(reply.payload) <= SYNCHRONOUS_BYTES:
        return reply
    message = f"Response payload size exceeded maximum allowed payload size ({SYNCHRONOUS_BYTES} bytes)."
    failure = {"errorType": "Function.ResponseSizeTooLarge", "errorMessage": message}
    return replace(reply, payload=json.dumps(failure).encode(), error="Unhandled")
