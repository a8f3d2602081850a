"""Distil a large Keras teacher into a small, fast, proven model for edge devices."""

__version__ = "0.1.0"
