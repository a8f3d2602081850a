"""Try compressed variants from the cheapest up until one is within all limits."""
