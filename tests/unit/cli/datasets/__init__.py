"""Data as versions."""
