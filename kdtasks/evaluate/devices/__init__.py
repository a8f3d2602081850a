"""Devices that are reached over SSH, and time bundles where these will run."""
