"""`tide demo`: the loop end to end, on a fresh twin of its own that is always stopped at the end.

command.py   the command: folder, twin, story, report, end
story.py     what happens, as phases; everything after an upload or a rejection happens by events, and is only watched
traffic.py   the client that sends requests all the time and counts every failure
report.py    the summary for people, and the same as JSON
samples.py   scikit-learn's tables as CSV files
"""
