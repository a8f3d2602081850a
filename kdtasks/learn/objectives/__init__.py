"""What a training minimises: losses, hints and exits put together."""
