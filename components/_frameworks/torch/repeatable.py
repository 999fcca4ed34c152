"""Equal results from equal inputs: deterministic algorithms, and generators that are seeded again for each epoch."""

from __future__ import annotations

import os
import random

import numpy as np
import torch


def be_repeatable() -> None:
    """Tell PyTorch to use deterministic algorithms only, for the whole process; one that has none is an error of that operation."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it, cuBLAS refuses to be deterministic
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False


def seed_generators(*parts: int) -> None:
    """Seed the global generators of Python, NumPy and PyTorch.

    A fit does so before each epoch, so that one which goes on after it was killed draws the numbers that it would have drawn.

    Args:
        parts: The project's seed, and the number of the epoch.
    """
    seed = int(np.random.SeedSequence(parts).generate_state(1)[0])
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
