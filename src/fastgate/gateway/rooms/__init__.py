"""The rooms of a call, one concern each. A room reads and fills the Call; rooms never import rooms."""
