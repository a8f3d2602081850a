"""Make a trained student smaller and faster: one pass a file, composed by variants."""
