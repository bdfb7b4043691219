"""What Kinesis and event source mappings need of their callers.

docs: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonkinesisdatastreams.html (a shard iterator belongs to its
stream; StartStreamEncryption is asked about the key as well),
https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html (lambda:FunctionArn holds mappings to functions).
"""

from dataclasses import replace

from moto.awslambda.models import lambda_backends
from moto.kinesis.utils import decompose_shard_iterator

from twin.iam.actions import Need, Place, needs_of
from twin.iam.calls import Call


def name_of(call: Call) -> str | None:
    """The stream that a call to Kinesis is about."""
    parameters = call.parameters
    if parameters.get("StreamName"):
        return str(parameters["StreamName"])
    if parameters.get("StreamARN"):
        return str(parameters["StreamARN"]).rpartition("/")[2]
    if parameters.get("ShardIterator"):
        try:
            return str(decompose_shard_iterator(parameters["ShardIterator"])[0])
        except ValueError:
            return None
    return None


def needs(call: Call, place: Place) -> list[Need]:
    """Everything that a call to Kinesis must be allowed."""
    name = name_of(call)
    if name is None:
        return needs_of(call, place)
    found = [Need(f"kinesis:{call.operation}", f"arn:aws:kinesis:{place.region}:{place.account}:stream/{name}")]
    if call.operation == "StartStreamEncryption":
        found += [need for need in needs_of(call, place) if ":kms:" in need.resource]
    return found


def mapping_needs(call: Call, place: Place) -> list[Need]:
    """Of a call about an event source mapping: with the function that it is for."""
    identity = call.parameters.get("UUID")
    known = lambda_backends[place.account][place.region].get_event_source_mapping(identity) if identity else None
    name = call.parameters.get("FunctionName")
    arn = known.function_arn if known is not None else str(name or "")
    if arn and not arn.startswith("arn:"):
        arn = f"arn:aws:lambda:{place.region}:{place.account}:function:{arn}"
    context = {"lambda:functionarn": arn} if arn else {}
    resource = f"arn:aws:lambda:{place.region}:{place.account}:event-source-mapping:{identity}" if identity else "*"
    return [replace(need, resource=resource, context=context) for need in needs_of(call, place)[:1]]
