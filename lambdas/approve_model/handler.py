"""approve_model: approves a registered model by policy, or records that a person must.

Events are stale by nature, so the package is read again, and only one that waits is judged. The decision carries the package's creation
time, so every event about a package makes the same decision. It is recorded before the package is changed: after a crash in between,
the next delivery changes it, whereas a change without a record would be taken for somebody else's.

SageMaker's events are best effort (https://docs.aws.amazon.com/eventbridge/latest/ref/event-delivery-level.html), so a tick judges every
package of the last day that still waits. What waits longer was left to a person, and another policy since then must not overtake them.
"""

import hashlib
from datetime import timedelta
from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parser import parse
from aws_lambda_powertools.utilities.typing import LambdaContext

from contracts.config import ApprovalPolicy
from contracts.environment import ApproveModelEnvironment
from contracts.events import Anything, DetailType, Event, ModelPackageStateChange
from contracts.ledger import Decision, Evidence, What
from lambdas import runtime
from lambdas.approve_model.adapters import Registry, Reports
from lambdas.approve_model.logic import judge, waits
from lambdas.ledger import Ledger
from lambdas.packages import evaluation_uri

SERVICE = "approve_model"
LOOK_BACK = timedelta(days=1)
logger = Logger(service=SERVICE)
tracer = Tracer(service=SERVICE)
metrics = Metrics(namespace=runtime.NAMESPACE, service=SERVICE)


@logger.inject_lambda_context(correlation_id_path="id", clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def handle(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Gives the decisions by model package; None where there was nothing to decide."""
    variables = runtime.environment(ApproveModelEnvironment)
    decided = {arn: approve(arn, runtime.project().approval.policy, variables) for arn in _packages(event, variables)}
    metrics.add_metric("judged", MetricUnit.Count, len(decided))
    for arn, outcome in decided.items():
        metrics.add_metric(outcome or "nothing_to_decide", MetricUnit.Count, 1)
        logger.info("judged", model_package_arn=arn, outcome=outcome)
    return {"decisions": decided}


def _packages(event: dict[str, Any], variables: ApproveModelEnvironment) -> list[str]:
    """The package that an event is about; those that wait, when it is a tick."""
    cause: Event[Anything] = parse(event=event, model=Event[Anything])
    if cause.detail_type == DetailType.TICK:
        return Registry(runtime.client("sagemaker")).waiting(variables.model_package_group, cause.time - LOOK_BACK)
    change: Event[ModelPackageStateChange] = parse(event=event, model=Event[ModelPackageStateChange])
    return [change.detail.arn]


def approve(arn: str, policy: ApprovalPolicy, variables: ApproveModelEnvironment) -> What | None:
    """Judge one package. None when it does not wait for approval."""
    registry = Registry(runtime.client("sagemaker"))
    package = registry.read(arn)
    if not waits(package, variables.model_package_group):
        return None
    uri = evaluation_uri(package)
    report = Reports(runtime.client("s3")).read(uri) if uri and policy is ApprovalPolicy.AUTO else None
    verdict = judge(policy, package, report)
    evidence = (Evidence(uri=uri, sha256=hashlib.sha256(report).hexdigest()),) if uri and report is not None else ()
    what = What.MODEL_APPROVED if verdict.approved else What.MODEL_LEFT_TO_A_PERSON
    decision = Decision(time=package["CreationTime"], what=what, subject=arn, why=verdict.why, by=SERVICE, evidence=evidence)
    Ledger(runtime.client("dynamodb"), variables.ledger_table).record(decision)
    if verdict.approved:
        registry.approve(arn, f"approved by policy: {verdict.why}")
    return what
