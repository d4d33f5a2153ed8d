"""Who acts, for the change log: the operating system's user who typed the command."""

from __future__ import annotations

import os
import pwd
import re

_PLAIN = re.compile(r"[\x21-\x7e]{1,64}")


def user() -> str:
    """The user's name, or number where it has none, as in a container."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    return name if _PLAIN.fullmatch(name) else str(os.getuid())


def actor() -> str:
    """The actor of a change that this process makes itself; over the API the control plane says `admin:NAME`."""
    return f"local:{user()}"
