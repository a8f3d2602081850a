"""Attacks on whatever comes from outside, seeded; `docs/reliability.md` holds the counts."""
