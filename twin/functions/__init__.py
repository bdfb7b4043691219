"""Lambda functions that really run: the asset's code, in worker processes, under the function's own role.

    service.py          invocation, synchronous and asynchronous: retries, destinations, metrics
    pool.py             the workers of one function; worker_process.py: the parent's side of one; worker.py: the worker itself
    runtime.py          the packages a worker sees: boto3, and the Powertools layer
    permission.py       the function's resource policy
    logs.py             output and embedded metrics; tracing.py: X-Ray
    patches.py          moto's records made complete, and its execution replaced
    mappings.py         event source mappings of Kinesis streams; poller.py: reads a shard; batches.py: what becomes of a batch

Modelled: the Python version and the packages' versions are the laptop's; memory size is not enforced.
"""

from twin import logwriter
from twin import patches as moto_patches
from twin.cloud import Cloud
from twin.functions import mappings
from twin.functions.patches import patches
from twin.functions.service import Functions

__all__ = ["Functions", "install"]


def install(cloud: Cloud) -> Functions:
    """Open the `invoke` and `invoke_async` doors."""
    functions = Functions(cloud)
    readers = mappings.Mappings(cloud, functions)
    functions.before_stop(readers.stop)
    moto_patches.apply(*patches(functions), *mappings.patches(readers), logwriter.patch(cloud))
    cloud.invoke = functions.invoke
    cloud.invoke_async = functions.invoke_async
    return functions
