"""Run a bundle on a device: numpy and LiteRT are all it needs."""
