"""Running the pipeline: project, runner, sweeps, search."""
