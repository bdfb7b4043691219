"""`tide data`: datasets and their versions; one file a command."""
