"""How the training images are varied."""
