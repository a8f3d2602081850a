"""Losses as pure functions of logits: any leading shape, classes last, one number out.

All compute in float32 from logarithms of softmax, so that neither a loss nor its gradient leaves
the range of numbers for logits of ±10,000.
"""
