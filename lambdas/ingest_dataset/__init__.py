"""Upload -> dataset version, or quarantine with the reasons."""
