"""What every package builds on: errors, files, locks, paths, settings, TensorFlow on demand."""
