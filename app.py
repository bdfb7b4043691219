"""tidewheel.yaml -> CloudFormation templates: `cdk deploy --all`, or `python app.py` with CDK_OUTDIR, which needs no CDK CLI.

Context: `config` (a path; or the variable TIDEWHEEL_CONFIG), `environment`, `commit` (recorded with every model).
"""

import json
import os
import sys
from pathlib import Path

from contracts.errors import ConfigError
from stacks.project import CONFIG_VARIABLE, read_project
from stacks.tidewheel import add_stacks, new_app

ROOT = Path(__file__).resolve().parent


def main() -> int:
    """Write the cloud assembly. Returns the exit status."""
    # Without the CDK CLI nobody else reads cdk.json's feature flags.
    app = new_app(json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"])
    try:
        add_stacks(app, read_project(app.node, ROOT, os.environ.get(CONFIG_VARIABLE)))
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    app.synth()
    return 0


if __name__ == "__main__":
    sys.exit(main())
