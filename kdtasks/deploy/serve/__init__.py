"""Answer images over HTTP with a bundle."""
