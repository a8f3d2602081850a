"""Judge a new model against the one in production; in doubt production stays."""
