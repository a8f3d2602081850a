"""Losses that a student learns from: the labels' and the teacher's."""
