"""How often the ladder's `bounded_edit` is right: labelled prompts, written by hand and made from patterns."""
