"""Simulations of every statistical promise of the product: small in the tests, in full by command.

    python -m benchmarks.evidence [NAME …] [--write]

Each prints how often a promise was kept in repeated experiments whose truth is known. `--write`
puts the figures into results/evidence.json and the table into docs/evidence.md.
"""
