"""The history of alerts.sqlite."""
