"""The endpoint, as one attempt that ends in an outcome; and the key for hashed columns."""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError, ReadTimeoutError  # noqa: A004 - botocore's name

from lambdas.predict.outcomes import TOO_SLOW, Answered, Outcome, Unavailable, of_error
from lambdas.predict.request import Request


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
        except ReadTimeoutError as error:
            return Unavailable(type(error).__name__, TOO_SLOW)
        except (ConnectionError, HTTPClientError) as error:
            return Unavailable(type(error).__name__)


def read_key(secrets: Any, name: str) -> bytes:
    """The key for hashed columns, from Secrets Manager. Raises ClientError: without it no request with such columns may go on."""
    text: str = secrets.get_secret_value(SecretId=name)["SecretString"]
    return text.encode()


def _outcome(error: ClientError) -> Outcome | None:
    reply: Mapping[str, Any] = error.response
    status = reply.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return of_error(reply["Error"]["Code"], status, int(reply.get("OriginalStatusCode", 500)), str(reply.get("OriginalMessage", "")))
