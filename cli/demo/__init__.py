"""`tide demo`: the loop end to end, on a fresh twin of its own that is always stopped at the end.

command.py   the command: folder, twin, story, report, end
setting.py   what is deployed: the project, with short windows and a canary
story.py     what happens, as phases; everything after an upload, labels or an approval happens by events, and is only watched
traffic.py   the client that sends requests all the time and counts every failure
hours.py     the twin's clock, hour by hour, and monitoring's verdict on each
drift.py     how the same rows read on other instruments
broken.py    a model that passes its health check and fails at every request
waits.py     what is waited for: approvals, live versions, answers
report.py    the summary for people, and the same as JSON          charts.py   what a client saw over time
samples.py   scikit-learn's tables as CSV files
"""
