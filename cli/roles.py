"""Deploying as the CDK command line does: under the roles of the account's bootstrap that the assembly names, never under one's own.

docs: https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-env.html. What the deployer itself needs is sts:AssumeRole on four roles:

    lookup            reads what is there
    file-publishing   uploads files; image-publishing: pushes images
    deploy            creates and updates stacks, and hands CloudFormation its execution role

The CDK command line falls back to one's own permissions when a role cannot be assumed; this does not.
"""

from botocore.exceptions import ClientError

from cli.account import Account
from contracts.errors import StateError

SESSION = "tide"


class Roles:
    """An account under each of its roles; every role is assumed once."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._account_id: str = account.client("sts").get_caller_identity()["Account"]
        self._assumed: dict[str, Account] = {}

    @property
    def region(self) -> str:
        """Where the account is."""
        return self._account.region

    def filled(self, text: str) -> str:
        """An environment-agnostic assembly leaves account, region and partition to whoever deploys it."""
        known = {"AWS::AccountId": self._account_id, "AWS::Region": self.region, "AWS::Partition": "aws"}
        for name, value in known.items():
            text = text.replace(f"${{{name}}}", value)
        return text

    def under(self, role: str) -> Account:
        """The account under a role, by its ARN as an assembly has it. Raises StateError when it cannot be assumed."""
        arn = self.filled(role)
        if arn not in self._assumed:
            try:
                self._assumed[arn] = self._account.assume(arn, SESSION)
            except ClientError as error:
                reason = error.response["Error"]["Message"]
                raise StateError(
                    f"{arn} cannot be assumed: {reason}. Next: cdk bootstrap, then let who deploys do sts:AssumeRole on this role"
                ) from error
        return self._assumed[arn]
