"""Requests to the project's API, signed as AWS_IAM asks (Signature Version 4, service execute-api).

docs: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-access-control-iam.html. Nothing is retried here: a caller that
counts failed requests must see every one.
"""

import json
from dataclasses import dataclass
from typing import Any

import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from cli.account import Account
from contracts.errors import StateError

JSON = "application/json"
TIMEOUT = urllib3.Timeout(connect=5, read=35)


@dataclass(frozen=True)
class Answer:
    """What the API answered."""

    status: int
    body: bytes

    def document(self) -> Any:
        """The body as JSON. Raises ValueError when it is none."""
        return json.loads(self.body)


class PredictionApi:
    """One route of a project's API, by its URL; threads may share it."""

    def __init__(self, account: Account, url: str) -> None:
        self._url = url
        self._region = account.region
        self._credentials = account.session.get_credentials()
        if self._credentials is None:
            raise StateError("no AWS credentials to sign requests with. Next: aws configure, or aws sso login")
        self._pool = urllib3.PoolManager(maxsize=16, timeout=TIMEOUT, retries=False)

    def post(self, body: bytes, content_type: str = JSON, inference_id: str | None = None) -> Answer:
        """Send a request body, under an inference id of one's own or one that the API makes.

        Raises urllib3.exceptions.HTTPError when there is no answer.
        """
        own = {} if inference_id is None else {"x-inference-id": inference_id}
        return self._send("POST", body, {"Content-Type": content_type, "Accept": JSON} | own)

    def get(self) -> Answer:
        """Ask. Raises urllib3.exceptions.HTTPError when there is no answer."""
        return self._send("GET", b"", {"Accept": JSON})

    def _send(self, method: str, body: bytes, headers: dict[str, str]) -> Answer:
        request = AWSRequest(method, self._url, data=body, headers=headers)
        SigV4Auth(self._credentials.get_frozen_credentials(), "execute-api", self._region).add_auth(request)
        reply = self._pool.request(method, self._url, body=body, headers=dict(request.headers.items()))
        return Answer(reply.status, reply.data)
