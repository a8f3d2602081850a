"""Choose when an early exit is sure enough: temperatures, thresholds and the policy they make."""
