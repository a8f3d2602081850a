"""Turn trained networks into files that devices run."""
