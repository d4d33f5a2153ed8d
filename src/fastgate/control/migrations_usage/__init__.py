"""Revisions of the usage database, oldest first."""
