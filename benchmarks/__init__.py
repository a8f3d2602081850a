"""Benchmarks: each a ratio against a peer, measured side by side in one run."""
