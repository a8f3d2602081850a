"""Answer pictures over HTTP with a bundle."""
