"""The command: the story on a twin of its own, what of every statement it needed, and what breaks without each."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from botocore.exceptions import ClientError

from cli.assembly import synthesise
from cli.options import ConfigOption, EnvironmentOption
from cli.output import Output
from cli.own_twin import fresh, only_one
from cli.project import Project, load_project
from cli.prove_iam.mutation import Place, tasks_of
from cli.prove_iam.mutation import mutate as withhold_all
from cli.prove_iam.report import DENIED, Proof, show_proof
from cli.prove_iam.session import Session
from cli.prove_iam.setting import proof_project, replaced
from cli.prove_iam.step import turn
from cli.prove_iam.steps import STEPS
from cli.twin_process import end_leftovers
from cli.up import ASSEMBLY_NAME
from contracts.errors import StateError, TidewheelError

if TYPE_CHECKING:
    from twin.iam.usage import Grant


def prove_iam(
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the result to this file as JSON.", show_default=False)] = None,
    no_mutation: Annotated[bool, typer.Option("--no-mutation", help="Do not withhold each statement to see what breaks.")] = False,
    config: ConfigOption = None,
    environment: EnvironmentOption = None,
) -> None:
    """Prove least privilege: run the loop, see every call allowed and every statement of every policy needed, and each one missed."""
    output = Output()
    project = load_project(config, environment)
    if json_file is not None and not json_file.absolute().parent.is_dir():
        raise StateError(f"--json {json_file}: there is no folder {json_file.parent}. Next: make it")
    started = time.monotonic()
    proof = Proof()
    folder = (project.state / "prove-iam").resolve()
    with only_one(folder):
        for twin in folder.glob("*/twin"):  # the story's, and those of the processes that withhold statements
            end_leftovers(twin)
        fresh(folder)
        _prove(project, folder, output, proof, mutate=not no_mutation)
    proof.seconds = round(time.monotonic() - started, 1)
    if json_file is not None:
        json_file.write_text(json.dumps(proof.document(), indent=2, default=str) + "\n", encoding="utf-8")
    show_proof(output, proof)
    if not proof.ok:
        raise StateError(f"least privilege is not proven: {len(proof.sentences())} findings, above")


def _prove(project: Project, folder: Path, output: Output, proof: Proof, *, mutate: bool) -> None:
    assembly = folder / ASSEMBLY_NAME
    with output.phase("synthesise the app"):
        deployed = proof_project(project, folder)
        proof.replaced = replaced(project, deployed)
        # What is too much is said by the proof, with the role, the action and the resource.
        synthesise(deployed, assembly, rules=False)
    with Session(folder / "story", deployed, assembly) as session:
        tell(session, output, proof)
    if mutate and not proof.failed:
        place = Place(folder, deployed.config_path, deployed.config.environment, assembly)
        tasks = tasks_of(proof.usages, {phase.name: phase.seconds for phase, _ in proof.steps})
        with output.phase("withhold each statement") as phase:
            proof.broken = withhold_all(place, tasks, phase.show)
            phase.result = f"{len(proof.broken) - len(proof.unbroken)} of {len(proof.broken)} were missed"


def tell(session: Session, output: Output, proof: Proof) -> None:
    """Turn every step, and find what of every statement they needed."""
    from twin.iam.findings import findings_of  # noqa: PLC0415 - the twin is loaded only where it is used
    from twin.iam.usage import usage  # noqa: PLC0415

    grants: dict[str, Grant] = {}
    try:
        for step in (each for each in STEPS if each.when(session.project.config)):
            with output.phase(step.name) as phase:
                proof.steps.append((phase, step.what))
                turn(session, step)
            grants |= {grant.id: grant for grant in deployed_grants(session)}
    except (TidewheelError, ClientError) as error:
        proof.failed = f"step {step.name} failed: {error}"
    recorded = session.twin.part("iam").decisions
    if recorded.forgotten:
        raise StateError(f"{recorded.forgotten} decisions were more than the twin remembers. Next: raise LIMIT in twin/iam/record.py")
    decisions = recorded.latest()
    proof.usages = usage(list(grants.values()), decisions)
    proof.findings = [each for each in findings_of(proof.usages, decisions) if each.problem == DENIED or not proof.failed]


def deployed_grants(session: Session) -> "list[Grant]":
    """The statements of the stacks as they are now."""
    from twin.iam.grants import grants_of  # noqa: PLC0415 - the twin is loaded only where it is used

    cloud = session.twin.cloud
    return grants_of(session.twin.part("cloudformation").stacks(), cloud.account, cloud.region)
