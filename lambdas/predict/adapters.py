"""The endpoint, as one attempt that ends in an outcome; and the key for hashed columns.

Errors of InvokeEndpoint: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html. ModelError (424) is
whatever the container answered beside 2xx; OriginalStatusCode tells whose fault it was.
"""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004 - botocore's name

from lambdas.predict.logic import Answered, NotDeployed, Outcome, Refused, Request, Unavailable

TOO_MANY_REQUESTS = 429
THROTTLED = frozenset({"ThrottlingException", "Throttling", "TooManyRequestsException", "ModelNotReadyException"})


class Endpoint:
    """One SageMaker endpoint. The client must not retry by itself: logic.predict does."""

    def __init__(self, runtime: Any, name: str) -> None:
        self._runtime = runtime
        self._name = name

    def invoke(self, request: Request) -> Outcome:
        """One attempt. Raises ClientError for what neither the client nor time can mend, such as a missing permission."""
        try:
            reply = self._runtime.invoke_endpoint(
                EndpointName=self._name,
                Body=request.body,
                ContentType=request.content_type,
                Accept="application/json",
                InferenceId=request.inference_id,
            )
            return Answered(reply["Body"].read())
        except ClientError as error:
            outcome = _outcome(error)
            if outcome is None:
                raise
            return outcome
        except (ConnectionError, HTTPClientError) as error:
            return Unavailable(type(error).__name__)


def read_key(secrets: Any, name: str) -> bytes:
    """The key for hashed columns, from Secrets Manager. Raises ClientError: without it no request with such columns may go on."""
    text: str = secrets.get_secret_value(SecretId=name)["SecretString"]
    return text.encode()


def _outcome(error: ClientError) -> Outcome | None:
    reply: Mapping[str, Any] = error.response
    code = reply["Error"]["Code"]
    if code == "ModelError":
        original = int(reply.get("OriginalStatusCode", 500))
        if 400 <= original < 500:
            return Refused(original, str(reply.get("OriginalMessage", "")))
        return Unavailable(f"the model server answered {original}")
    if code == "ValidationError":
        return NotDeployed()  # the request's own limits were checked before, so this can only be the endpoint's name
    status = reply.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return Unavailable(code) if code in THROTTLED or status >= 500 or status == TOO_MANY_REQUESTS else None
