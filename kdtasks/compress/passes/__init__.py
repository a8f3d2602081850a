"""Passes that make a network smaller or faster, one a file."""
