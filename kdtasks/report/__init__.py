"""The report: one page, the chosen variant, and the numbers behind the page."""
