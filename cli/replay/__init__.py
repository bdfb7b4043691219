"""`tide replay`: a table in its order as live traffic, with late labels, through the deployed app on a fresh twin of its own.

command.py   the command: folder, twin, first model, windows, report, end
plan.py      how many rows train the first model, make a window, pass until a label comes; the configuration that the replay deploys
table.py     the table, ordered, as prediction records and labels
client.py    sends rows and labels, and keeps every answer
windows.py   a window after the other: traffic over an hour of the twin's clock, then monitoring, decisions and what they cause
first.py     what the first model alone would have answered to the same rows
hindsight.py falls, false alarms and detection delay, once every label is known
report.py    the summary for people, and the same as JSON
page.py      the same as a page, with the scores drawn
"""
