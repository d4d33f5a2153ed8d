"""The table of older families against the price data, which state each model's context window."""

from genai_prices.data import providers

from fastgate.providers.families import family_limits

STATED = {
    model.id.removesuffix("-latest"): model.context_window
    for provider in providers
    if provider.id == "anthropic"
    for model in provider.models
    if model.context_window
}


def test_context_windows_are_those_of_the_price_data() -> None:
    known = {model: row.context_tokens for model in STATED if (row := family_limits(model)) is not None}
    assert len(known) >= 12, "else this test says little"
    assert known == {model: STATED[model] for model in known}


def test_a_model_that_takes_everything_has_the_large_window() -> None:
    newer = {model for model in STATED if family_limits(model) is None and not model.startswith("claude-2")}
    assert {STATED[model] for model in newer} == {1_000_000}
