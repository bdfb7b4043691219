"""API request -> endpoint -> prediction."""
