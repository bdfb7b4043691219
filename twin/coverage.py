"""docs/twin.md, written from the twin itself: `python -m twin.coverage > docs/twin.md`.

What is modelled and what is refused is said once, in the docstring of the module that does it, in a paragraph that says so; resource
types come from the engine's handlers, and the changes to moto from the patches in force. So the page cannot promise what the code does not
do: a test compares the two.
"""

import ast
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from twin import patches
from twin.cloudformation import resources
from twin.server import PARTS, TwinServer

TWIN = Path(__file__).parent
LIMITS = ("Modelled", "modelled", "Refused", "refused", "Not modelled", "Supported")
HEAD = """# The twin: what it shows, and what only AWS can show

The twin is an AWS account in one process, on one port of this laptop, with its state in one folder. It deploys the templates that `cdk
synth` wrote, and answers the AWS APIs. The code that it runs (functions, jobs, model servers) is the code that AWS runs, and cannot
tell the difference.

- **Emulated** means that it happens: CloudFormation creates, updates, replaces and rolls back; functions, jobs and model servers are
  processes; traffic is shifted; alarms are evaluated; every call is authorised under the caller's role.
- **Modelled** means that AWS does it too, but not exactly so, or does not document how. Each case is listed below.
- **Refused** means that the twin stops with an error that names what it does not know. It never skips.

This page is written by `python -m twin.coverage`; a test holds it to the code.

## What only AWS can show

- That service quotas, instance capacity and regional availability suffice.
- How long things take there: start of instances, image pulls, CloudFormation, cold starts.
- That the container image builds and runs on its base image; the twin runs the same code on this laptop's Python, with the same pinned
  packages.
- Network settings: VPCs, endpoints, DNS, TLS certificates. The twin's door on loopback stands for TLS. `network: {mode: vpc}` is
  refused; its templates are synthesised, held to cdk-nag's rules and linted by tests.
- Encryption itself. The twin checks who may use a key, and moto keeps the bytes as they are.
- Prices.

Its account lives in memory: when the twin ends, the account is gone, and `tide up` deploys into an empty one. Logs, job folders and
decisions stay in the folder. Work that a processor really does takes real time; schedules, bake times and alarm periods run on the
twin's clock.
"""


def main() -> None:
    """Write the page to stdout."""
    sys.stdout.write(page())


def page() -> str:
    """The whole page, as Markdown."""
    return "\n".join([HEAD, *_limits(), *_types(), *_patches()]) + "\n"


def _limits() -> list[str]:
    lines = ["## Modelled and refused, part by part", ""]
    for path in sorted(TWIN.rglob("*.py")):
        docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
        found = [" ".join(paragraph.split()) for paragraph in docstring.split("\n\n")[1:] if _says_a_limit(paragraph)]
        if found and path.name != "coverage.py" and path != TWIN / "__init__.py":
            name = path.relative_to(TWIN).as_posix().removesuffix("/__init__.py").removesuffix(".py")
            lines += [f"**{name}**", "", *(f"{paragraph}\n" for paragraph in found)]
    return lines


def _says_a_limit(paragraph: str) -> bool:
    return any(word in paragraph for word in LIMITS) and "    " not in paragraph


def _types() -> list[str]:
    rows = [f"| `{kind}` | {len(resources.handler_of(kind).properties)} |" for kind in resources.types()]
    return [
        "## CloudFormation resource types",
        "",
        "Any other type, and any other property of these, is refused before anything is created.",
        "",
        "| type | properties understood |",
        "| --- | --- |",
        *rows,
        "",
    ]


def _patches() -> list[str]:
    with tempfile.TemporaryDirectory() as folder, TwinServer(Path(folder)):
        applied = patches.applied()
    by_reason: dict[str, list[str]] = defaultdict(list)
    for patch in applied:
        by_reason[patch.why].append(patch.target.removeprefix("moto."))
    lines = [
        "## Changes to moto",
        "",
        f"{len(applied)} attributes of moto are replaced or added by {', '.join(PARTS)}.",
        "Each is verified against the signature that it was written for when the twin starts; a moto that looks different stops the twin.",
        "",
        "| why | what |",
        "| --- | --- |",
    ]
    return lines + [f"| {why} | {_named(targets)} |" for why, targets in by_reason.items()]


def _named(targets: list[str]) -> str:
    owners: dict[str, list[str]] = defaultdict(list)
    for target in targets:
        owner, _, name = target.rpartition(".")
        owners[owner].append(f"`{name}`")
    return "<br>".join(f"{owner}: {', '.join(sorted(names))}" for owner, names in owners.items())


if __name__ == "__main__":
    main()
