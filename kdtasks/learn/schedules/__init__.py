"""Values that change from epoch to epoch."""
