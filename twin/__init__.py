"""The twin: an offline AWS account in one process, on one port, with its state in one folder.

It consumes what `cdk synth` wrote and what the AWS APIs receive, and nothing else; the code it runs never knows that it exists.
Where it does not know what AWS does, it refuses by name. docs/twin.md says what is emulated, what is modelled, and what only AWS can show.

    cloud.py          what every part is given: account, region, URL, clock, folder, and the doors to the other parts
    server.py         one port: IAM gate, then moto with our operations on top, API front and execute-api
    cloudformation/   the engine that deploys the templates
    iam/              who may do what
    events/           the bus: rules, targets, retries, dead letters, schedules, faults
    functions/        Lambda code in worker processes, under the function's role
    sagemaker/        pipelines, jobs, the registry's events, endpoints with blue/green deployments
    metrics.py, alarms.py, clock.py, processes.py, patches.py
"""
