"""Measurements of what the library promises; README.md says by which protocols."""
