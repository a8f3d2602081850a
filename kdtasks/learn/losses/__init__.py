"""Losses of labels and of a teacher's logits: pure functions, one a file."""
