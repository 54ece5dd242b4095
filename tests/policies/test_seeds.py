"""The seed by which an execution notices that it was reset."""

from policies.seeds import first_seed


def test_it_is_the_seed_that_temporal_gives() -> None:
    """As it was read in a workflow of this run id: by another function each run would seem to have been reset."""
    assert first_seed("01a216cd-bfd9-7d76-b07e-ea08f8024d7c") == 251651153144905126
