"""Try students of other widths, depths and resolutions, and weigh accuracy against cost."""
