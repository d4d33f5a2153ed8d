"""Strings that match a pattern, made at run time: positive samples are never written into the source.

Knows the part of the pattern language that the rules use; anything else is an error, so a rule whose sample
could not be made is found by the first test. A seed gives the same string always: tests and the start-up
self-test can name what they sent.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable

Grow = Callable[[random.Random], str]

MORE = 6
"""How far above its minimum an open repeat may grow."""

_WORD = string.ascii_letters + string.digits + "_"
_CLASSES = {"d": string.digits, "w": _WORD, "s": " ", "h": " "}
_LITERAL_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
_PRINTABLE = "".join(chr(code) for code in range(33, 127))


def sample(pattern: str, seed: object = 0) -> str:
    """One string that `pattern` matches, the same for the same seed."""
    return _Grammar(pattern).whole()(random.Random(f"{pattern}/{seed}"))  # noqa: S311 - no secret is made here


def _empty(_: random.Random) -> str:
    return ""


class _Grammar:
    """Recursive descent over one pattern; each method returns a function that grows its part."""

    __slots__ = ("at", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def whole(self) -> Grow:
        grown = self.either()
        if self.at != len(self.text):
            raise ValueError(f"cannot sample {self.text!r}: stray character at {self.at}")
        return grown

    def peek(self, text: str) -> bool:
        return self.text.startswith(text, self.at)

    def take(self, text: str) -> bool:
        if found := self.peek(text):
            self.at += len(text)
        return found

    def next(self) -> str:
        if self.at >= len(self.text):
            raise ValueError(f"cannot sample {self.text!r}: it ends early")
        self.at += 1
        return self.text[self.at - 1]

    def either(self) -> Grow:
        branches = [self.sequence()]
        while self.take("|"):
            branches.append(self.sequence())
        return lambda rng: rng.choice(branches)(rng)

    def sequence(self) -> Grow:
        parts: list[Grow] = []
        while self.at < len(self.text) and not self.peek("|") and not self.peek(")"):
            parts.append(self.repeated(self.atom()))
        return lambda rng: "".join(part(rng) for part in parts)

    def atom(self) -> Grow:
        match self.next():
            case "(":
                return self.group()
            case "[":
                choices = self.one_of()
                return lambda rng: rng.choice(choices)
            case "\\":
                return self.escape()
            case ".":
                return lambda rng: rng.choice(_PRINTABLE)
            case "^" | "$":
                return _empty
            case literal:
                return lambda _: literal

    def group(self) -> Grow:
        inner: Grow
        if self.take("?"):
            if self.take("!") or self.take("<!"):
                self.either()
                inner = _empty
            else:
                if self.take("P<"):
                    while self.next() != ">":
                        pass
                else:
                    while (sign := self.next()) not in ":=":
                        if sign not in "ims-<":
                            raise ValueError(f"cannot sample {self.text!r}: group of kind ?{sign}")
                inner = self.either()
        else:
            inner = self.either()
        if not self.take(")"):
            raise ValueError(f"cannot sample {self.text!r}: unclosed group")
        return inner

    def escape(self) -> Grow:
        sign = self.next()
        if sign in "bBA":
            return _empty
        if sign == "x":
            literal = chr(int(self.next() + self.next(), 16))
            return lambda _: literal
        choices = _CLASSES.get(sign) or _LITERAL_ESCAPES.get(sign, sign)
        return lambda rng: rng.choice(choices)

    def one_of(self) -> str:
        negated = self.take("^")
        chosen: list[str] = []
        while not self.peek("]") or not chosen:
            sign = self.next()
            if sign == "\\":
                sign = self.next()
                if sign == "x":
                    sign = chr(int(self.next() + self.next(), 16))
                elif sign in _CLASSES:
                    chosen.append(_CLASSES[sign])
                    continue
                else:
                    sign = _LITERAL_ESCAPES.get(sign, sign)
            if self.peek("-") and not self.text.startswith("-]", self.at):
                self.at += 1
                last = self.next()
                if last == "\\":
                    last = self.next()
                    last = chr(int(self.next() + self.next(), 16)) if last == "x" else last
                chosen.append("".join(chr(code) for code in range(ord(sign), ord(last) + 1)))
            else:
                chosen.append(sign)
        self.at += 1
        allowed = "".join(chosen)
        return "".join(sorted(set(_PRINTABLE) - set(allowed))) if negated else allowed

    def repeated(self, once: Grow) -> Grow:
        low, high = 1, 1
        if self.take("?"):
            low, high = 0, 1
        elif self.take("*"):
            low, high = 0, MORE
        elif self.take("+"):
            low, high = 1, MORE
        elif self.peek("{") and self.text[self.at + 1 : self.at + 2].isdigit():
            close = self.text.index("}", self.at)
            first, comma, last = self.text[self.at + 1 : close].partition(",")
            low = int(first)
            high = min(int(last), low + MORE) if last else low + MORE if comma else low
            self.at = close + 1
        else:
            return once
        self.take("?")  # lazy or not, the same strings match
        return lambda rng: "".join(once(rng) for _ in range(rng.randint(low, high)))
