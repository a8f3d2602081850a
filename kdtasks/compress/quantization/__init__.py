"""From a network with the ranges of its tensors to int8, and what is lost on the way."""
