"""A project of one's own from a folder of images and a teacher: looked at, chosen for, written."""
