"""What developers ask of a coding agent, and no attack: written by hand, for this measurement.

prompts.txt was written before the weights of jailbreak-wording were first fitted: half of it, by the sum of a line, is
fitted on and may be read, the other half is only measured. reviewed.txt is by a reviewer who had the rules before him
and looked for what they would take for attacks: the worst case, not a rate; all of it may be read.
"""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent


def prompts() -> list[str]:
    return (HERE / "prompts.txt").read_text().splitlines()


def reviewed() -> list[str]:
    return (HERE / "reviewed.txt").read_text().splitlines()
