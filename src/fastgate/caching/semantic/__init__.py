"""Answers to questions that were asked before in other words: how texts are compared, found, remembered and proven.

A text is *near* another by its vector (embedding), *found* by an index of its tenant, and *agrees* by what it names:
only all three together, within an equal rest of the request, answer a call. Knows no call, no HTTP server and no room.
"""
