"""Compare a new model with the one in production; in doubt production is unchanged."""
