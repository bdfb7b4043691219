"""The endpoint follows the registry: deployed, replaced, thrown back, rolled back, removed."""

from typing import Any

from cli.demo.broken import register_broken
from cli.deploy import DONE, deploy_assembly, find_stack
from cli.observe import Version
from cli.prove_iam.data_steps import decided
from cli.prove_iam.session import MINUTE, Session
from cli.prove_iam.setting import BAKE
from cli.prove_iam.step import Step
from cli.prove_iam.training_steps import copied, with_version
from cli.release import APPROVED, REJECTED, ROLLBACK_ALARMS, approved_versions, decide, endpoint_state
from contracts.errors import StateError
from contracts.layout import RUNS, VARIANT
from contracts.ledger import What

WAKES = ("model-changed", "stack-changed", "endpoint-changed", "deployment-changed")
MINUTES = 10
"""After which a rollback alarm has ended and what was live is so again."""
NAMESPACE = "/aws/sagemaker/Endpoints"
_UPDATABLE = DONE | {"UPDATE_ROLLBACK_COMPLETE"}


def live(session: Session, version: Version) -> None:
    """Wait until a version serves and nothing moves. Raises StateError when it is held or rejected."""
    watched = False

    def look() -> bool | None:
        nonlocal watched
        if not watched and _shifted(session, version):
            watched = True
            session.twin.cloud.clock.advance(BAKE)
        state = endpoint_state(session.app)
        if not state.moving and state.live == version.number:
            return True
        held = session.app.ledger.held()
        if held is not None and f"version {version.number} " in held.why:
            raise StateError(held.why)
        if session.app.package(version.arn).approval == REJECTED:
            raise StateError(session.app.package(version.arn).why)
        return None

    session.reach(f"version {version.number} at the endpoint", look)
    decided(session, What.DEPLOYMENT_FINISHED, version.arn)


def _shifted(session: Session, version: Version) -> bool:
    """Whether a version has taken over the traffic, and is watched."""
    endpoint = session.app.endpoint() if session.activity.bakes() else None
    return endpoint is not None and endpoint.traffic.get(version.arn, 0.0) > 0


def with_live(session: Session) -> None:
    """A version is live, and answers."""
    with_version(session)
    repaired(session)
    state = endpoint_state(session.app)
    answers = state.live is not None and _ask(session)
    if state.live is not None and not answers:  # a broken version that was not thrown back
        decide(session.app, session.app.version(state.live), REJECTED, "rejected before the next step")
    if state.moving or not answers:
        with session.awake(*WAKES):
            live(session, copied(session, APPROVED))


def repaired(session: Session) -> None:
    """The Endpoint stack takes updates, and there is no endpoint that it knows nothing of: what a failed step left is removed."""
    name = f"{session.app.prefix}-endpoint"
    session.settle()
    stack = find_stack(session.app.cloudformation, name)
    if stack is not None and stack["StackStatus"] not in _UPDATABLE:
        session.app.cloudformation.delete_stack(StackName=name)
        session.reach("the end of the broken stack", lambda: find_stack(session.app.cloudformation, name) is None or None)
        stack = None
    if (stack is None or not served_by(stack)) and is_there(session):
        session.app.sagemaker.delete_endpoint(EndpointName=session.app.prefix)
        session.reach("the end of the endpoint", lambda: None if is_there(session) else True)
    if stack is None:
        deploy_assembly(session.app.account, session.assembly, lambda _: None)


def is_there(session: Session) -> bool:
    """Whether there is an endpoint, even one whose configuration is gone."""
    found = session.app.sagemaker.list_endpoints(NameContains=session.app.prefix)["Endpoints"]
    return any(each["EndpointName"] == session.app.prefix for each in found)


def served_by(stack: dict[str, Any]) -> str:
    """The model package that a stack is told to serve; empty for none."""
    told = {parameter["ParameterKey"]: parameter.get("ParameterValue", "") for parameter in stack.get("Parameters", [])}
    return str(told.get("ModelPackageArn", ""))


def without_endpoint(session: Session) -> None:
    """Nothing is served, and nothing is approved."""
    with_version(session)
    repaired(session)
    for arn in approved_versions(session.app).values():
        decide(session.app, session.app.package(arn), REJECTED, "rejected before the endpoint is removed")
    if is_there(session):
        _remove(session)
    # The first target of scaling in an account makes this role; only without it is making it asked for.
    iam, role = session.client("iam"), "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
    if role in {each["RoleName"] for each in iam.list_roles(PathPrefix="/aws-service-role/")["Roles"]}:
        iam.delete_service_linked_role(RoleName=role)


def served(session: Session, package: str) -> dict[str, Any]:
    """Tell the Endpoint stack what to serve, "" for nothing, under the role that it has; the stack, when it is done."""
    name, cloudformation = f"{session.app.prefix}-endpoint", session.app.cloudformation
    told = [{"ParameterKey": "ModelPackageArn", "ParameterValue": package}]
    cloudformation.update_stack(StackName=name, UsePreviousTemplate=True, Parameters=told, Capabilities=["CAPABILITY_NAMED_IAM"])

    def look() -> dict[str, Any] | None:
        stack = find_stack(cloudformation, name)
        return stack if stack is not None and not stack["StackStatus"].endswith("_IN_PROGRESS") else None

    stack = session.reach("the end of the stack's update", look)
    if stack["StackStatus"] not in DONE:
        raise StateError(f"stack {name} is {stack['StackStatus']}: {stack.get('StackStatusReason', '')}")
    return stack


def _deploy(session: Session) -> None:
    since = session.now()
    live(session, copied(session, APPROVED))
    session.twin.cloud.clock.advance(MINUTE)
    of_endpoint = {"EndpointName": session.app.prefix, "VariantName": VARIANT}
    session.observed(NAMESPACE, f"{NAMESPACE}/{session.app.prefix}", f"{VARIANT}/", since, **of_endpoint)


def _throw_back(session: Session) -> None:
    before = endpoint_state(session.app).live
    broken = register_broken(session.app, session.app.version(before or 0), session.folder / session.name("broken"))
    decide(session.app, broken, APPROVED, "approved by the proof, in the place of a person who did not look")

    def look() -> bool | None:
        if _shifted(session, broken):
            _ask(session)
            session.twin.cloud.clock.advance(70)
        return True if session.app.package(broken.arn).approval == REJECTED else None

    session.reach(f"the quarantine of version {broken.number}", look)
    decided(session, What.MODEL_QUARANTINED, broken.arn)
    for _ in range(MINUTES):
        if _at_rest(session, before):
            return
        session.twin.cloud.clock.advance(MINUTE)  # the alarm has to end first
        session.settle()
    raise StateError(f"version {before} does not come back: {endpoint_state(session.app).words}")


def _fail_to_deploy(session: Session) -> None:
    """A version whose archive is gone: its model cannot be made, and the stack says why."""
    version = copied(session, APPROVED, InferenceSpecification=_with_archive(session, f"{RUNS}{session.name('gone')}/output/model.tar.gz"))
    decided(session, What.MODEL_QUARANTINED, version.arn)


def _with_archive(session: Session, key: str) -> dict[str, Any]:
    """What the first version is served with, but for another archive."""
    source = session.app.sagemaker.describe_model_package(ModelPackageName=session.notes["version"].arn)
    specification: dict[str, Any] = source["InferenceSpecification"]
    (container,) = specification["Containers"]
    return specification | {"Containers": [container | {"ModelDataUrl": f"s3://{session.app.artifacts_bucket}/{key}"}]}


def _at_rest(session: Session, number: int | None) -> bool | None:
    state = endpoint_state(session.app)
    return True if state.live == number and not state.moving else None


def _alarm_ends(session: Session) -> None:
    since = session.now()
    for state in ("ALARM", "OK"):
        name = f"{session.app.prefix}-{ROLLBACK_ALARMS[0]}"
        session.app.cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="set by the proof")
    session.logged("reconcile-endpoint", since)


def _ask(session: Session) -> bool:
    """Ask for a prediction; whether one came. While a broken version takes over, some answers are errors."""
    body = {"instances": [row.record for row in session.rows(2)]}  # one row is what a broken version can answer
    try:
        session.post(session.app.api_url, body)
    except StateError:
        return False
    return True


def _roll_back(session: Session) -> None:
    state = endpoint_state(session.app)
    version = session.app.version(state.live or 0)
    former = max(number for number in approved_versions(session.app) if number != state.live)
    decide(session.app, version, REJECTED, "rejected by the proof")
    live(session, session.app.version(former))


def _with_former(session: Session) -> None:
    with_live(session)
    if len(approved_versions(session.app)) < 2:
        with session.awake(*WAKES):
            live(session, copied(session, APPROVED))


def _remove(session: Session) -> None:
    served(session, "")
    if is_there(session):
        raise StateError("the endpoint is still there")


ALARM_STEPS = (
    Step(
        "rollback alarm ended",
        "an alarm that held deployments back has ended, and the endpoint is looked at",
        _alarm_ends,
        rules=("rollback-alarm-ended",),
    ),
)
ENDPOINT_STEPS = (
    Step("first deployment", "a version is approved, and an endpoint is made for it", _deploy, ready=without_endpoint, rules=WAKES),
    Step("next deployment", "a version is approved, and takes over from the live one", _deploy, ready=with_live, rules=WAKES),
    Step(
        "broken version",
        "a version that breaks is approved by hand, thrown back by its alarm and quarantined",
        _throw_back,
        ready=with_live,
        rules=(*WAKES, "rollback-alarm-ended"),
    ),
    Step(
        "failed deployment",
        "a version whose archive is gone is approved by hand; its stack rolls back, and it is quarantined",
        _fail_to_deploy,
        ready=with_live,
        rules=WAKES,
        refusals=(("*-RolesModel*", "s3:ListBucket"),),  # who may not list is told that the archive is forbidden, and not that it is gone
    ),
    Step("rejected version", "the live version is rejected, and the former one takes over", _roll_back, ready=_with_former, rules=WAKES),
)
LAST_STEPS = (Step("removal", "the endpoint is removed under the deployment role", _remove, ready=with_live),)
