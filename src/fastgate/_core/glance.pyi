from fastgate._core.prefilter import Prefilter

def holds_nothing(answer: bytes, prefilter: Prefilter) -> bool:
    """Whether a whole answer in Anthropic's form is a message of texts (and thinking) alone, in none of which the
    prefilter's windows are. False says nothing."""
