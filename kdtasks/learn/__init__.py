"""The zoo: Functional networks cut into segments, each segment with an exit."""
