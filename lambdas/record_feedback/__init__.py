"""Labels -> ground truth."""
