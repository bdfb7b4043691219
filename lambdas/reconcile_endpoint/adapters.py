"""The reconciler's account: the model registry, the Endpoint stack, the endpoint and the ledger.

The order of reading matters, because other invocations write meanwhile. The ledger comes first, so a deployment that it shows open is one
whose update the stack already shows. The stack comes before the endpoint, so an update that the stack shows as complete is one that the
endpoint already shows. And the stack is read again at the end, so an update that began in between is noticed.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from contracts.environment import ReconcileEndpointEnvironment
from contracts.ledger import Decision, Deployment, What
from contracts.ledger import Hold as HoldItem
from contracts.ledger import Quarantine as QuarantineItem
from contracts.metadata import approval_description
from lambdas.ledger import Ledger
from lambdas.live import LiveEndpoint
from lambdas.reconcile_endpoint.logic import UPDATABLE
from lambdas.reconcile_endpoint.states import Deploy, Drop, Hold, Observed, Package, Quarantine, Settle, Stack

PARAMETER = "ModelPackageArn"
CONFIG_OUTPUT = "EndpointConfigName"
GUARD = "RollbackAlarms"
ROLLED_BACK = "UPDATE_ROLLBACK_COMPLETE"
BY = "reconcile_endpoint"


class Registry:
    """The project's model package group."""

    def __init__(self, sagemaker: Any, group: str) -> None:
        self._sagemaker = sagemaker
        self._group = group

    def packages(self) -> tuple[Package, ...]:
        """Every version of the group."""
        # A page of SageMaker's has ten unless more are asked for, and versions only grow in number.
        pages = self._sagemaker.get_paginator("list_model_packages").paginate(
            ModelPackageGroupName=self._group, PaginationConfig={"PageSize": 100}
        )
        return tuple(_package(summary) for page in pages for summary in page["ModelPackageSummaryList"])

    def reject(self, arn: str, why: str) -> None:
        """Reject a version. Repeating it changes nothing."""
        self._sagemaker.update_model_package(
            ModelPackageArn=arn, ModelApprovalStatus="Rejected", ApprovalDescription=approval_description(why)
        )


def _package(summary: Mapping[str, Any]) -> Package:
    approved = summary["ModelPackageStatus"] == "Completed" and summary["ModelApprovalStatus"] == "Approved"
    return Package(summary["ModelPackageArn"], summary["ModelPackageVersion"], approved)


class EndpointStack:
    """The CloudFormation stack that is the only door to the endpoint."""

    def __init__(self, cloudformation: Any, name: str, role_arn: str) -> None:
        self._cloudformation = cloudformation
        self._name = name
        self._role_arn = role_arn

    def read(self) -> Stack | None:
        """The stack's state, or None when it does not exist."""
        found = self._describe()
        if found is None:
            return None
        parameters = {item["ParameterKey"]: item.get("ParameterValue", "") for item in found.get("Parameters", [])}
        outputs = {item["OutputKey"]: item["OutputValue"] for item in found.get("Outputs", [])}
        status, reason = found["StackStatus"], found.get("StackStatusReason", "")
        if status == ROLLED_BACK:
            reason = self._first_failure() or reason
        return Stack(status, reason, parameters.get(PARAMETER, ""), found.get("LastUpdatedTime"), outputs.get(CONFIG_OUTPUT, ""))

    def serve(self, arn: str, token: str, guarded: bool = True) -> bool:
        """Ask for an update to another package. False when the stack is being updated already, or serves that package already.

        `token` is the cause's: CloudFormation takes one update for it, however often it is asked.
        """
        found = self._describe() or {}
        kept = [
            {"ParameterKey": item["ParameterKey"], "UsePreviousValue": True}
            for item in found.get("Parameters", [])
            if item["ParameterKey"] not in {PARAMETER, GUARD}
        ]
        asked = {PARAMETER: arn, GUARD: "on" if guarded else "off"}
        try:
            self._cloudformation.update_stack(
                StackName=self._name,
                UsePreviousTemplate=True,
                Parameters=[*kept, *({"ParameterKey": key, "ParameterValue": value} for key, value in asked.items())],
                Capabilities=found.get("Capabilities", []),
                RoleARN=self._role_arn,
                ClientRequestToken=token,
            )
        except self._cloudformation.exceptions.TokenAlreadyExistsException:
            return True  # an earlier delivery of the same event asked already
        except ClientError as error:
            # CloudFormation has one code for "busy", "no updates" and real mistakes, so the stack itself says which it was.
            if error.response["Error"]["Code"] == "ValidationError" and self._needs_no_update(arn):
                return False
            raise
        return True

    def _needs_no_update(self, arn: str) -> bool:
        now = self.read()
        return now is not None and (now.status.endswith("_IN_PROGRESS") or (now.status in UPDATABLE and now.parameter == arn))

    def _first_failure(self) -> str:
        """Why the last update was rolled back. The stack itself only says that it was; its events, newest first, say what failed first."""
        reason = ""
        for page in self._cloudformation.get_paginator("describe_stack_events").paginate(StackName=self._name):
            for event in page["StackEvents"]:
                if event.get("PhysicalResourceId") == event["StackId"] and event["ResourceStatus"] == "UPDATE_IN_PROGRESS":
                    return reason
                if event["ResourceStatus"].endswith("_FAILED"):
                    reason = event.get("ResourceStatusReason", reason)
        return reason

    def _describe(self) -> dict[str, Any] | None:
        try:
            stacks = self._cloudformation.describe_stacks(StackName=self._name)["Stacks"]
        except ClientError as error:
            # The name is well formed, so a ValidationError only says that there is no such stack.
            if error.response["Error"]["Code"] == "ValidationError":
                return None
            raise
        described: dict[str, Any] = stacks[0]
        return described


class RollbackAlarms:
    """The alarms that throw a deployment back."""

    def __init__(self, cloudwatch: Any, names: tuple[str, ...]) -> None:
        self._cloudwatch = cloudwatch
        self._names = names

    def read(self) -> tuple[str, ...]:
        """The names of those that are in ALARM."""
        found = self._cloudwatch.describe_alarms(AlarmNames=list(self._names))["MetricAlarms"]
        return tuple(alarm["AlarmName"] for alarm in found if alarm["StateValue"] == "ALARM")


class AwsAccount:
    """The account as logic.Account. `now` and `cause` are the event's time and id: they make every act repeatable.

    Acts of one invocation are a microsecond apart, so that the ledger keeps their order. Each act's time is stored with what it did before
    its decision is recorded, so a repetition finds the same time again.
    """

    def __init__(
        self,
        registry: Registry,
        stack: EndpointStack,
        endpoint: LiveEndpoint,
        alarms: RollbackAlarms,
        ledger: Ledger,
        now: datetime,
        cause: str,
    ) -> None:
        self._registry = registry
        self._stack = stack
        self._endpoint = endpoint
        self._alarms = alarms
        self._ledger = ledger
        self._now = now
        self._cause = cause
        self._acts = 0

    @classmethod
    def of(cls, variables: ReconcileEndpointEnvironment, clients: Any, now: datetime, cause: str) -> "AwsAccount":
        """The account that the environment names; `clients` makes an AWS client from a service's name."""
        return cls(
            Registry(clients("sagemaker"), variables.model_package_group),
            EndpointStack(clients("cloudformation"), variables.endpoint_stack, variables.deployment_role_arn),
            LiveEndpoint(clients("sagemaker"), variables.endpoint_name),
            RollbackAlarms(clients("cloudwatch"), variables.alarm_names),
            Ledger(clients("dynamodb"), variables.ledger_table),
            now,
            cause,
        )

    def observe(self) -> Observed:
        """One look; see the module's docstring for its order."""
        deployment, held = self._ledger.open_deployment(), self._ledger.held()
        quarantined = {item.model_package_arn: item.why for item in self._ledger.quarantines()}
        stack = self._stack.read()
        endpoint = self._endpoint.read()
        packages = self._registry.packages()
        alarms = self._alarms.read()
        moved = self._stack.read() != stack
        return Observed(packages, stack, endpoint, deployment, quarantined, held is not None, moved, alarms)

    def deploy(self, action: Deploy) -> bool:
        """Ask for the update, and then remember that it was asked for."""
        token = f"version-{action.package.version}-{hashlib.sha256(self._cause.encode()).hexdigest()[:32]}"
        if not self._stack.serve(action.package.arn, token, action.guarded):
            return False
        asked = self._moment()
        self._ledger.open(Deployment(model_package_arn=action.package.arn, asked=asked))
        self._record(What.DEPLOYMENT_STARTED, action.package.arn, action.why, asked)
        return True

    def settle(self, action: Settle) -> None:
        """Record that the package is live, then forget the deployment."""
        settled = self._ledger.settle(action.deployment, self._moment())
        if settled is not None:
            why = f"the endpoint serves it; asked for at {action.deployment.asked:%Y-%m-%dT%H:%M:%SZ}"
            self._record(What.DEPLOYMENT_FINISHED, action.deployment.model_package_arn, why, settled)
            self._ledger.close(action.deployment)

    def drop(self, action: Drop) -> None:
        """Forget a deployment that was overtaken."""
        self._ledger.close(action.deployment)

    def quarantine(self, action: Quarantine) -> None:
        """Remember first, so that no later look can deploy the package, whatever happens in between."""
        kept = self._ledger.quarantine(QuarantineItem(model_package_arn=action.arn, why=action.why, time=self._moment()))
        self._record(What.MODEL_QUARANTINED, action.arn, kept.why, kept.time)
        self._registry.reject(action.arn, f"quarantined: {kept.why}")
        if action.deployment is not None:
            self._ledger.close(action.deployment)

    def hold(self, action: Hold) -> None:
        """Record the reason, once."""
        kept = self._ledger.hold(HoldItem(why=action.why, time=self._moment()))
        self._record(What.ENDPOINT_HELD, "endpoint", kept.why, kept.time)

    def release(self) -> None:
        """The reason to hold is gone."""
        self._ledger.release()

    def _moment(self) -> datetime:
        self._acts += 1
        return self._now + timedelta(microseconds=self._acts)

    def _record(self, what: What, subject: str, why: str, time: datetime) -> None:
        self._ledger.record(Decision(time=time, what=what, subject=subject, why=why, by=BY))
