"""The model image: `python -m training <verb>` is every job of the loop and the model server.

prepare     a dataset version -> train.csv and holdout.csv, each with schema.json        (Processing)
train       train.csv -> the model's folder, after a search with cross-validation        (Training)
evaluate    model, holdout, champion -> evaluation, gate, baseline                        (Processing)
monitor     captured traffic, labels, the champion's baseline -> verdict, report, metrics  (Processing)
serve       the model's folder -> HTTP on /ping and /invocations                          (Model)

Every path hangs below one root (ML_ROOT, default /opt/ml), laid out as SageMaker lays it out; see contracts/layout.py. There is no clock
and no unseeded randomness in here, and numeric libraries run on one thread, so the same input gives the same bytes.
"""
