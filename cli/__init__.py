"""`tide`: the command line. It works on the twin and on an AWS account alike, because it only calls AWS APIs.

main.py          the commands together, and what happens to their errors
output.py        what people and machines see          options.py     the options that commands share
project.py       tidewheel.yaml and its folder         account.py     the account that a command acts on
tables.py        CSV files                             inspection.py  a project's data contract, read off a table
assembly.py      app.py -> cdk.out                     assets.py, deploy.py   cdk.out -> stacks, by plain AWS calls
twin_process.py  the twin in the background            observe.py     the deployed app, read
waiting.py       waits that end                        api.py         signed requests to the prediction API
functions.py     functions, asked by a person           verdict.py     what monitoring found, in words

and one file a command: init, doctor, synth, up, down, data, train, status, monitor, approve (and reject), predict, demo/.
"""
