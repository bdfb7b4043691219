"""`tide`: the command line. It works on the twin and on an AWS account alike, because it only calls AWS APIs.

main.py          the commands together, and what happens to their errors
output.py        what people and machines see          options.py     the options that commands share
project.py       tidewheel.yaml and its folder         account.py     the account that a command acts on
tables.py        tables in any format                  inspection.py  a project's data contract, read off a table
assembly.py      app.py -> cdk.out                     assets.py, deploy.py   cdk.out -> stacks, by plain AWS calls
twin_process.py  the twin in the background            observe.py     the deployed app, read
opening.py       how a command on a deployed app begins
ledger.py        the ledger, read                      live.py        what was live from when to when
provenance.py    what led to a model version           release.py     decisions about versions, and the wait for the endpoint
rest.py          what still moves in the loop          twin_clock.py, hours.py  the twin's clock, moved on by hand
own_twin.py      the fresh twin of one command
functions.py     functions, asked by a person          verdict.py     what monitoring found, in words
waiting.py       waits that end                        api.py         signed requests to the prediction API
score.py         accuracy or RMSE, for demo and replay

and one file a command: init, doctor, synth, up, down, data, train, status, monitor, why, timeline, approve, reject, rollback, predict,
feedback, demo/, replay/.
"""
