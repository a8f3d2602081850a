"""Sweeps whose points run on the workers of a Dask cluster that share nothing but a DVC remote."""
