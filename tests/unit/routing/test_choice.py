"""The choice: healthy places first, homes kept while they are worth it, shares as weights say; the same every time."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from fastgate.routing.choice import HOME_GONE, NO_HOME, STRATEGIES, Offer, choose, offered, whole_of

NANO = st.integers(0, 10**12)


def offer(place: str = "a", **changes: object) -> Offer:
    fields: dict[str, object] = {
        "model": "",
        "healthy": True,
        "warm": 0,
        "price_nano": 1000,
        "latency_us": 0,
        "rank": 0,
        "weight": 1,
        "key_weight": 1,
        "endpoint": place.partition("/")[0],
        "later_nano": 100,
    }
    return offered(place=place, **fields | changes)  # type: ignore[arg-type]


@st.composite
def situations(draw: st.DrawFn) -> tuple[str, list[Offer], int, bool, int, int, int]:
    places = draw(st.lists(st.sampled_from(("a/1", "a/2", "b", "c", "d/1", "d/2")), min_size=1, unique=True))
    offers = [
        offer(
            place,
            healthy=draw(st.booleans()),
            price_nano=draw(NANO),
            later_nano=draw(NANO),
            latency_us=draw(st.integers(0, 10_000)),
            rank=draw(st.integers(0, 3)),
            weight=draw(st.integers(0, 5)),
        )
        for place in places
    ]
    home = draw(st.sampled_from([NO_HOME, HOME_GONE, *range(len(offers))]))
    numbers = (draw(st.integers(1, 20)), draw(st.integers(0, 65535)), draw(st.integers(0, 10_000)))
    return draw(st.sampled_from(STRATEGIES)), offers, home, draw(st.booleans()), *numbers


@given(situations())
def test_every_offer_once_and_the_healthy_first_one_first(
    situation: tuple[str, list[Offer], int, bool, int, int, int],
) -> None:
    strategy, offers, home, sticky, turns, point, latency = situation
    order, reason = choose(strategy, offers, home, sticky, turns, point, latency)
    assert sorted(order) == list(range(len(offers)))
    first = offers[order[0]]
    assert first.healthy or not any(each.healthy for each in offers)
    assert choose(strategy, offers, home, sticky, turns, point, latency) == (order, reason)
    expected = {"new": home == NO_HOME, "gone": home == HOME_GONE, "home": order[0] == home}
    assert expected.get(reason, home >= 0 and order[0] != home)
    fellows = [index for index, each in enumerate(offers) if each.endpoint == first.endpoint]
    assert set(order[: len(fellows)]) == set(fellows)  # its other keys come next


@given(situations())
def test_a_warm_healthy_home_is_never_left_at_a_loss(
    situation: tuple[str, list[Offer], int, bool, int, int, int],
) -> None:
    strategy, offers, home, sticky, turns, point, latency = situation
    order, reason = choose(strategy, offers, home, sticky, turns, point, latency)
    if home >= 0 and offers[home].healthy and sticky and order[0] != home:
        assert reason == "cheaper"
        assert whole_of(offers[order[0]], turns) < whole_of(offers[home], turns)


@given(situations())
def test_cheapest_is_the_cheapest(situation: tuple[str, list[Offer], int, bool, int, int, int]) -> None:
    _, offers, home, sticky, turns, point, latency = situation
    order, _ = choose("cheapest", offers, home, sticky, turns, point, latency)
    healthy = [whole_of(each, turns) for each in offers if each.healthy]
    if healthy:
        assert whole_of(offers[order[0]], turns) == min(healthy)


def test_the_configured_order_holds_where_nothing_else_is_said() -> None:
    offers = [offer("a"), offer("b"), offer("c")]
    assert choose("priority", offers, NO_HOME, False, 1, 7, 0) == ([0, 1, 2], "new")
    offers[0].healthy = False
    assert choose("priority", offers, NO_HOME, False, 1, 7, 0) == ([1, 2, 0], "new")
    offers[2].rank = -1
    assert choose("priority", offers, NO_HOME, False, 1, 7, 0)[0] == [2, 1, 0]


def test_a_home_is_kept_left_and_lost() -> None:
    offers = [offer("a"), offer("b")]
    assert choose("priority", offers, 1, True, 3, 0, 0) == ([1, 0], "home")  # no dearer, no cheaper: it stays
    assert choose("priority", offers, 1, False, 1, 0, 0) == ([0, 1], "cold")
    offers[0].later_nano = 99
    assert choose("priority", offers, 1, True, 3, 0, 0) == ([0, 1], "cheaper")
    assert choose("priority", offers, 1, True, 1, 0, 0) == ([1, 0], "home")  # one turn does not pay for it
    offers[1].healthy = False
    assert choose("priority", offers, 1, True, 3, 0, 0) == ([0, 1], "unhealthy")
    assert choose("priority", offers, HOME_GONE, True, 3, 0, 0) == ([0, 1], "gone")


def test_weights_share_out_points() -> None:
    offers = [offer("a", weight=1), offer("b", weight=3), offer("c", weight=0), offer("d", weight=6, healthy=False)]
    seed = random.Random(7)  # a seed, not a secret
    points = [seed.randrange(65536) for _ in range(4000)]
    firsts = Counter(choose("weighted", offers, NO_HOME, False, 1, point, 0)[0][0] for point in points)
    assert set(firsts) == {0, 1} and 0.22 < firsts[0] / 4000 < 0.28


def test_keys_of_the_favourite_are_shared_out_by_weight_unless_one_is_warmer() -> None:
    offers = [offer("a/1", key_weight=1), offer("a/2", key_weight=3), offer("b")]
    seed = random.Random(8)
    points = [seed.randrange(65536) for _ in range(4000)]
    for strategy in ("priority", "cheapest", "latency"):
        firsts = Counter(choose(strategy, offers, NO_HOME, False, 1, point, 0)[0][0] for point in points)
        assert set(firsts) == {0, 1} and 0.22 < firsts[0] / 4000 < 0.28
    offers[0].warm = 500
    offers[0].price_nano = 10
    assert {choose("cheapest", offers, NO_HOME, False, 1, point, 0)[0][0] for point in points[:50]} == {0}


def test_latency_and_the_cheapest_within_it() -> None:
    offers = [
        offer("slow", latency_us=9000, price_nano=1),
        offer("near", latency_us=2000, price_nano=20),
        offer("fast", latency_us=1000, price_nano=30),
        offer("unknown", price_nano=25),
    ]
    assert choose("latency", offers, NO_HOME, False, 1, 0, 0)[0] == [3, 2, 1, 0]
    assert choose("cheapest-within-latency", offers, NO_HOME, False, 1, 0, 2500)[0] == [1, 3, 2, 0]
    assert choose("cheapest-within-latency", offers[:3], NO_HOME, False, 1, 0, 500)[0] == [2, 1, 0]
