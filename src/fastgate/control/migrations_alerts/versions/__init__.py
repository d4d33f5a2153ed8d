"""Revisions of the outbox of alerts, oldest first."""
