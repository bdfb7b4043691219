"""`tide predict --batch`: a table of any size through a transform job, every row of it accounted for (contracts/batch).

target.py    the version that predicts, and where
source.py    the table, here or in S3, read once, as a stream
job.py       rounds of a batch: parts into S3, a transform job, what came of it
results.py   predictions and what has none, as files here
command.py   all of it, with progress
"""
