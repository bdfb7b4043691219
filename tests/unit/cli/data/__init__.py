"""The commands of `tide data`."""
