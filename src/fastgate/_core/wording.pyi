from typing import Final, final

KNOWN_MIN: Final[int]
SEGMENT_BYTES: Final[int]

@final
class Wording:
    """A linear model of words, signs and pairs of them; made by `Wording.of`."""

    count: int
    """Words, senses, signs and pairs that have a weight."""
    @staticmethod
    def of(
        weights: dict[bytes, float],
        bias: float,
        damping: float,
        senses: dict[bytes, bytes] | None = None,
        signs: dict[bytes, bytes] | None = None,
    ) -> Wording:
        """`weights` by word or by the name of a sense or a sign (`<send>`), or by two with a blank between them, in
        small letters. `damping` is above 0. `senses` by word; names of `signs` by byte, which is no letter. ValueError
        for what is none of these."""
    def find(self, text: bytes) -> tuple[int, int] | None:
        """Where the first window stands whose score is above 0: from the first term that speaks for it to the last; all of the text
        where none does."""
    def score(self, text: bytes) -> float:
        """The highest score of a window; minus infinity for a text in which no window has KNOWN_MIN terms."""
