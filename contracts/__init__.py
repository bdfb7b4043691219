"""What the parts of Tidewheel agree on: stdlib and pydantic only, no AWS, no I/O.

config.py       tidewheel.yaml, typed            columns.py      kinds of column: parsing and inference
events.py       the events that drive the loop   manifest.py     a dataset version
layout.py       where things lie on S3           signature.py    what a model takes and gives
environment.py  the functions' environment       evaluation.py   metrics, gate, evaluation report
ledger.py       decisions and deployments        metadata.py     what a model package carries
baseline.py     statistics and constraints       inference.py    ids that join predictions and labels
capture.py      captured requests and answers    ground_truth.py labels
monitoring.py   thresholds, violations, verdicts of a window
privacy.py      private columns: dropped, or hashed with a key
errors.py       every error that a user can meet
"""
