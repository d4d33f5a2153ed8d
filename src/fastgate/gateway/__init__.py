"""The data plane: one Granian worker's program. app receives, pipeline orders the rooms, rooms do one thing each."""
