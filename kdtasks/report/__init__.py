"""The report: one page, the chosen variant, and the figures behind the page."""
