"""The account that a command acts on: the twin that runs here, or an AWS account.

--aws, or AWS_ENDPOINT_URL set by hand    what the AWS SDK finds in its usual places
else                                      the twin of the project's folder, as its administrator, whatever the shell's AWS variables say
"""

import os
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import urllib3
from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import ProfileNotFound
from botocore.loaders import Loader, create_loader

from cli.twin_process import running_twin
from contracts.errors import StateError

NO_TWIN = "No twin is running here. Next: tide up (or --aws for your AWS account)"
_API_HOST = re.compile(r"^https://(?P<api>[a-z0-9]+)\.execute-api\.[a-z0-9-]+\.[a-z.]+(?P<path>/.*)?$")


@dataclass(frozen=True)
class Account:
    """Where AWS calls go. `endpoint` is the twin's URL, or None for AWS; `name` is for people."""

    name: str
    region: str
    session: Any = field(repr=False)  # boto3-stubs know a client only by its literal name
    endpoint: str | None = None

    def client(self, service: str, *, attempts: int = 3) -> Any:
        """A boto3 client; make one a thread's use, before the thread starts. `attempts` counts the first one."""
        # On loopback a proxy of the machine's would only be in the way.
        config = Config(
            retries={"total_max_attempts": attempts, "mode": "standard"},
            proxies={} if self.endpoint else None,
            s3={"addressing_style": "path"} if self.endpoint else None,
            max_pool_connections=32,  # more than any command's threads; botocore keeps 10, and opens the others anew for every request
        )
        return self.session.client(service, endpoint_url=self.endpoint, region_name=self.region, config=config)

    def assume(self, role_arn: str, session_name: str) -> "Account":
        """The same account under a role, for an hour. Raises a botocore ClientError when it may not be assumed."""
        given = self.client("sts").assume_role(RoleArn=role_arn, RoleSessionName=session_name)["Credentials"]
        return self.under(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])

    def under(self, access_key: str, secret_key: str, session_token: str | None = None) -> "Account":
        """The same account under other credentials."""
        return replace(self, session=_session(self.region, access_key, secret_key, session_token))

    def now(self) -> datetime:
        """The account's time. A twin's clock runs ahead of this machine's, and what happens there is ordered by it."""
        if self.endpoint is not None:
            reply = urllib3.request("GET", f"{self.endpoint}/_twin/clock", timeout=5, retries=False)
            if reply.status == 200:
                return datetime.fromisoformat(reply.json()["time"])
        return datetime.now(UTC)

    def api_url(self, url: str) -> str:
        """An HTTP API's URL as it is reached from here: the twin answers for execute-api hosts under its own address."""
        match = _API_HOST.match(url)
        if self.endpoint is None or match is None:
            return url
        return f"{self.endpoint}/execute-api/{match['api']}{match['path'] or ''}"


def twin_account(url: str, region: str) -> Account:
    """The twin at an URL, as its administrator."""
    from twin.cloud import ADMIN  # noqa: PLC0415 - the twin is loaded only where it is used

    return Account(f"the twin at {url}", region, _session(region, ADMIN.access_key, ADMIN.secret_key), url)


def find_account(state: Path, aws: bool) -> Account:
    """The account that a command acts on; `state` is the twin's folder. Raises StateError when there is none."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    if not aws and not endpoint:
        note = running_twin(state)
        if note is None:
            raise StateError(NO_TWIN)
        return twin_account(note.url, note.region)
    try:
        session = Session()
    except ProfileNotFound as error:
        raise StateError(f"{error}. Next: unset AWS_PROFILE, or aws configure") from None
    if session.region_name is None:
        raise StateError("no AWS region is set. Next: export AWS_DEFAULT_REGION=us-east-1 (or another region)")
    name = f"the account at {endpoint}" if endpoint else f"your AWS account in {session.region_name}"
    return Account(name, session.region_name, session, endpoint)


def _session(region: str, access_key: str, secret_key: str, session_token: str | None = None) -> Session:
    """A session that reads no profile: the shell may name one that is not there, and the twin needs none."""
    nowhere = (None, None, os.devnull, None)
    variables = {"profile": (None, None, None, None), "config_file": nowhere, "credentials_file": nowhere}
    core = botocore.session.Session(session_vars=variables)
    core.set_credentials(access_key, secret_key, session_token)
    session = Session(botocore_session=core, region_name=region)
    core.register_component("data_loader", _models())
    return session


@cache
def _models() -> Loader:
    """AWS's models, for all sessions: to read them takes longer than what is mostly asked of a session, and each role has its own."""
    return create_loader()
