"""Removing whole filters: which, and the network without them."""
