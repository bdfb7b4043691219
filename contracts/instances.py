"""What SageMaker's instance types differ in, as far as the project must know."""

import re
from typing import Annotated

from pydantic import StringConstraints

InstanceType = Annotated[str, StringConstraints(pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$")]

# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateEndpointConfig.html, API_ResourceConfig.html and
# API_ProcessingClusterConfig.html: instances with local NVMe disks encrypt them in hardware, and a KMS key for their volume is refused.
_LOCAL_STORAGE = re.compile(r"^ml\.(g4dn|g5|g6|g6e|gr6|p3dn|p4d|p4de|p5|p5e|p5en|trn1|trn1n|trn2|i\d\w*|[cmr]\d+[a-z]*d[a-z]*)\.")


def has_local_storage(instance_type: str) -> bool:
    """True when its disks are its own, so that no key can be named for them."""
    return _LOCAL_STORAGE.match(instance_type) is not None
