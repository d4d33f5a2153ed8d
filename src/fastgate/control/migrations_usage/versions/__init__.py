"""Revisions in order. Once released, a revision is never edited."""
