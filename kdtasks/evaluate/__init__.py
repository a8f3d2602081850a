"""Judge models on the test split: metrics, intervals, paired comparisons over seeds."""
