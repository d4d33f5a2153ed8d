"""fastgate: an AI gateway for Claude Code cost management. See ARCHITECTURE.md for the house plan."""

__version__ = "0.1.0"
