"""Run a pipeline at every point of a grid of params, and compare the points honestly."""
