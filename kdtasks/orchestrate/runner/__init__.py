"""Run the stages of a DVC project side by side, with DVC's own bookkeeping around each."""
