"""The step that is measured beside PyTorch's learns."""

from bench.peers.networks import our_step


def test_steps_that_are_timed_learn() -> None:
    step = our_step(32, 1)
    first = step()
    for _ in range(30):
        last = step()
    assert last < 0.2 * first
