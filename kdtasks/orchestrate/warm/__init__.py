"""Stages in forks of one process that has imported TensorFlow, so that they need not."""
