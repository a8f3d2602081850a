"""What labels teach, one loss a file."""
