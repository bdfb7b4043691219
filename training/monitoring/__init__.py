"""The analyzer: a window of captured traffic against the champion's baseline.

job.py         what the container is told: window, folders, names       captures.py    capture files: lines, window, duplicates
scan.py        shards of files over the processor's cores               requests.py    payloads in -> columns
summary.py     mergeable summaries of columns, of bounded size          answers.py     payloads out -> predictions
labels.py      ground truth                                             quality.py     mergeable quality of labelled predictions
distance.py    how far two histograms are apart                         judge.py       drift and quality verdicts
checks.py      data quality: violations of the baseline's constraints   outputs.py     statistics, metrics
report.py      the page that people read, with plots.py             publish.py     metrics to CloudWatch
fetch.py       captures and labels on S3                                champion.py    the baseline that a model package names
seen.py        events that come again

Everything between reading and judging is a sum: a summary of two halves is the merged summaries of the halves, in any order. So a window
is read in one pass, by as many processes as there are cores, with memory that does not grow with its length. What grows: 8 bytes a
record within one hour's folder, to count a repeated event once, and 16 bytes a label, which are some 50 while they are sorted.
"""
