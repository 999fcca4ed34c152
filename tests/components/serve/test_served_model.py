"""The model of a server."""

import gc

from components.serve.limits import Limits
from components.serve.served_model import load_served
from tests.components.serve.conftest import Make


def test_what_a_server_has_loaded_is_left_alone_by_the_garbage_collector(model: Make) -> None:
    gc.unfreeze()
    load_served(model(), Limits.rows)
    assert gc.get_freeze_count() > 100_000, "TensorFlow's objects are among them: half a second for each look at all"
