"""Registered model package -> approved by policy, or left to a person."""
