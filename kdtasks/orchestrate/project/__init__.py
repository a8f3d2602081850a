"""A project on disk: its files, its clones, its lock file."""
