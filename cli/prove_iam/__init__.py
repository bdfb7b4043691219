"""`tide prove-iam`."""
