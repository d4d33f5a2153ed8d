"""Prompt Guard 2 (22M, 86M): a classifier that runs here, as ONNX, from files that the deployment brings.

Needs `onnxruntime` and `tokenizers`, neither of which fastgate installs, and nothing is ever downloaded: without them,
or without the files, every text is not scanned. Verified with a stand-in session; not with the model's weights.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from fastgate import onnx
from fastgate.guards.adapters.adapter import TIMEOUT_S
from fastgate.guards.adapters.verdict import PASS, Stage, Verdict, flagged, not_scanned

WINDOW = 512
"""Tokens that the model reads at once."""

STRIDE = 384
"""Tokens from one window to the next: an attack on a border is whole in one of them."""

WINDOWS_MAX = 64

MALICIOUS = 1
"""The index of the label in the model's two."""


def windows(tokens: Sequence[int]) -> list[Sequence[int]]:
    """Overlapping windows over all tokens; the last one ends with the text."""
    if len(tokens) <= WINDOW:
        return [tokens]
    starts = [*range(0, len(tokens) - WINDOW, STRIDE), len(tokens) - WINDOW]
    return [tokens[start : start + WINDOW] for start in starts]


def malicious(logits: Sequence[float]) -> float:
    """The probability of the second label."""
    most = max(logits)
    powers = [math.exp(value - most) for value in logits]
    return powers[MALICIOUS] / sum(powers)


Loaded: TypeAlias = tuple[Any, Any, Callable[[list[list[int]]], Any]]
"""Session, tokenizer, and what makes an array of rows of tokens."""


@dataclass(slots=True)
class PromptGuard:
    """The model's file and its tokenizer's. Loading takes a second and happens with the first text, off the loop."""

    model: Path
    tokenizer: Path
    threshold: float = 0.5
    name: str = "prompt-guard"
    timeout_s: float = TIMEOUT_S
    _loaded: Loaded | None = field(init=False, default=None)

    def _load(self) -> Loaded:
        if self._loaded is None:
            import importlib

            runtime, tokenizers = onnx.runtime(), importlib.import_module("tokenizers")
            numpy = importlib.import_module("numpy")
            session = runtime.InferenceSession(str(self.model), providers=["CPUExecutionProvider"])
            tokenizer = tokenizers.Tokenizer.from_file(str(self.tokenizer))
            self._loaded = session, tokenizer, lambda rows: numpy.array(rows, dtype=numpy.int64)
        return self._loaded

    def judge(self, text: str) -> Verdict:
        """The highest score of any window. Blocks; `screen` does not."""
        try:
            session, tokenizer, array = self._load()
        except ImportError as exc:
            return not_scanned(f"prompt-guard: {exc.name} is not installed")
        except onnx.errors() as exc:
            return not_scanned(f"prompt-guard: the model cannot be loaded: {type(exc).__name__}")
        cut = windows(tokenizer.encode(text).ids)
        if len(cut) > WINDOWS_MAX:
            return not_scanned(f"prompt-guard: more than {WINDOWS_MAX} windows")
        score = max(malicious(_logits(session, array, part)) for part in cut)
        return flagged("malicious") if score >= self.threshold else PASS

    async def screen(self, text: str, stage: Stage = "request") -> Verdict:
        """As an adapter's."""
        (verdict,) = await self.screen_all((text,), stage)
        return verdict

    async def screen_all(self, texts: Sequence[str], stage: Stage = "request") -> list[Verdict]:
        """As an adapter's: what is not judged within the deadline is not scanned."""
        out: list[Verdict] = []
        try:
            async with asyncio.timeout(self.timeout_s):
                while len(out) < len(texts):
                    text = texts[len(out)]
                    out.append(await asyncio.to_thread(self.judge, text) if text else PASS)
        except TimeoutError:
            late = not_scanned(f"prompt-guard: not judged within {self.timeout_s:g} s")
            out += [late] * (len(texts) - len(out))
        return out


def _logits(session: Any, array: Callable[[list[list[int]]], Any], tokens: Sequence[int]) -> Sequence[float]:
    feed = {"input_ids": array([list(tokens)]), "attention_mask": array([[1] * len(tokens)])}
    return [float(value) for value in session.run(None, feed)[0][0]]
