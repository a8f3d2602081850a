"""Choose when an early exit is confident enough: temperatures and thresholds."""
