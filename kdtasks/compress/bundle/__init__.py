"""The bundle that ships: its files, its manifest, one file of all."""
