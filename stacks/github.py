"""The role that a GitHub Actions workflow deploys with, without a secret in GitHub: it may take the bootstrap's roles, and nothing else.

What those may do is the bootstrap's matter: https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-env.html. A person deploys this stack
first; from then on the workflow deploys it with the others.
"""

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from contracts.github import AUDIENCE, ISSUER, GitHub, Provider
from stacks.constructs.policy import allow
from stacks.names import stack_name
from stacks.project import Project

# Those that the CDK command line takes. The fifth, cfn-exec, is CloudFormation's alone.
DEPLOYING = ("deploy", "file-publishing", "image-publishing", "lookup")


class GitHubStack(cdk.Stack):
    """The deploy role of one repository, trusted through GitHub's identity provider."""

    def __init__(self, scope: Construct, project: Project, github: GitHub) -> None:
        super().__init__(scope, stack_name(project, "github"), description=f"Tidewheel {project.prefix}: who deploys from GitHub")
        principal = iam.WebIdentityPrincipal(
            self._provider(github.provider), {"StringEquals": {f"{ISSUER}:aud": AUDIENCE, f"{ISSUER}:sub": github.subject}}
        )
        statement = allow(["sts:AssumeRole"], [self._bootstrap_role(part) for part in DEPLOYING])
        role = iam.Role(
            self,
            "Role",
            # By name, so that a workflow can say it before the stack is there.
            role_name=stack_name(project, "github"),
            description=f"Deploys {project.prefix} for {github.repository}",
            assumed_by=principal,
            inline_policies={"Exactly": iam.PolicyDocument(statements=[statement], minimize=False)},
        )
        cdk.CfnOutput(self, "RoleArn", value=role.role_arn)

    def _provider(self, provider: Provider) -> str:
        if provider is Provider.EXISTING:
            return self.format_arn(service="iam", region="", resource="oidc-provider", resource_name=ISSUER)
        return iam.CfnOIDCProvider(self, "Provider", url=f"https://{ISSUER}", client_id_list=[AUDIENCE]).attr_arn

    def _bootstrap_role(self, part: str) -> str:
        name = f"cdk-{self.synthesizer.bootstrap_qualifier}-{part}-role-{self.account}-{self.region}"
        return self.format_arn(service="iam", region="", resource="role", resource_name=name)
