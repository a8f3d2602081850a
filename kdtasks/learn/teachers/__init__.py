"""Teachers: trained here or imported from a file, they all come down to logits."""
