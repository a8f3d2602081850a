"""What a label is, and how answers are scored."""
