"""The tutorial's drift check: both tables in memory, a two-sample test a column. Run by monitor.py: baseline.parquet window.parquet."""

import sys

import pandas as pd
from scipy.stats import chi2_contingency, ks_2samp

before, now = (pd.read_parquet(path) for path in sys.argv[1:3])
drifted = []
for name in before.columns:
    if before[name].dtype.kind == "f":
        chance = ks_2samp(before[name], now[name]).pvalue
    else:
        chance = chi2_contingency(pd.DataFrame({"before": before[name].value_counts(), "now": now[name].value_counts()}).fillna(0)).pvalue
    if chance < 0.05:
        drifted.append(name)
print("drifted:", ", ".join(drifted))
