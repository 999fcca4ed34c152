"""Upper tails of the gamma, Student's and the binomial distribution, in plain Python: the images of the monitor have no SciPy.

They are incomplete functions computed by their series or continued fraction (W. H. Press et al., "Numerical Recipes", 3rd ed.,
2007, sections 6.2 and 6.4), to about 14 digits; a tail smaller than the smallest number is 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

_TINY = 1e-300
_PRECISION = 1e-15
_MOST_TERMS = 100_000


def gamma_tail(value: float, mean: float, variance: float) -> float:
    """Return the probability that a gamma variable with this mean and variance is at least `value`.

    Args:
        value: At least 0.
        mean: Above 0.
        variance: Above 0.
    """
    return regularised_gamma_tail(mean * mean / variance, max(value, 0.0) * mean / variance)


def log_student_tail(value: float, mean: float, variance: float, samples: float) -> float:
    """Return the probability that one more value is at least `value`, where the moments were measured on few; all above 0.

    A lognormal variable with these moments, but by Student's t for a prediction from `samples` values instead of the normal distribution
    (G. Hahn, Journal of the American Statistical Association 64, 1969).

    Args:
        value: The value.
        mean: Mean of the samples.
        variance: Their variance.
        samples: How many independent ones there were; need not be whole.
    """
    if value <= 0:
        return 1.0
    spread = math.log1p(variance / mean**2)
    distance = (math.log(value / mean) + spread / 2) / math.sqrt(spread * (1 + 1 / samples))
    return student_tail(distance, max(samples - 1, 1.0))


def student_tail(value: float, degrees: float) -> float:
    """Return the probability that a variable of Student's t distribution is at least `value`."""
    share = degrees / (degrees + value * value)
    half = 0.5 * (_regularised_beta(degrees / 2, 0.5, share) if share < 1 else 1.0)
    return half if value > 0 else 1 - half


def chi_square_tail(value: float, degrees: int) -> float:
    """Return the probability that a chi-square variable is at least `value`."""
    return regularised_gamma_tail(degrees / 2, max(value, 0.0) / 2)


def regularised_gamma_tail(shape: float, value: float) -> float:
    """Return the upper incomplete gamma function Q(shape, value), regularised."""
    if value <= 0:
        return 1.0
    front = math.exp(max(shape * math.log(value) - value - math.lgamma(shape), -745.0))
    if value < shape + 1:
        term = total = 1.0 / shape
        for step in range(1, _MOST_TERMS):
            term *= value / (shape + step)
            total += term
            if term < total * _PRECISION:
                break
        return max(1.0 - total * front, 0.0)
    start = value + 1 - shape
    return front * _continued_fraction(lambda step: (-step * (step - shape), start + 2 * step), start)


def binomial_tail(successes: int, trials: int, share: float) -> float:
    """Return the probability of at least `successes` in `trials` independent trials, each with the probability `share`."""
    if successes <= 0:
        return 1.0
    if successes > trials or share <= 0:
        return 0.0
    return 1.0 if share >= 1 else _regularised_beta(successes, trials - successes + 1, share)


@lru_cache(maxsize=4_096)  # a monitor asks for that of the same column of its reference for each window
def binomial_upper_bound(successes: int, trials: int, confidence: float = 0.99) -> float:
    """Return the upper bound of a share (C. Clopper and E. Pearson, Biometrika 26, 1934); 1 without trials."""
    if successes >= trials:
        return 1.0
    low, high = successes / trials, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        # at the bound, so few successes or fewer are improbable
        if 1 - binomial_tail(successes + 1, trials, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def _regularised_beta(first: float, second: float, share: float) -> float:
    log_front = (
        math.lgamma(first + second)
        - math.lgamma(first)
        - math.lgamma(second)
        + first * math.log(share)
        + second * math.log1p(-share)
    )
    front = math.exp(max(log_front, -745.0))
    if share < (first + 1) / (first + second + 2):
        return front * _beta_fraction(first, second, share) / first
    return 1.0 - front * _beta_fraction(second, first, 1 - share) / second


def _beta_fraction(first: float, second: float, share: float) -> float:
    both = first + second

    def coefficients(step: int) -> tuple[float, float]:
        half = step // 2
        if step % 2:
            return -(first + half) * (both + half) * share / ((first + 2 * half) * (first + 2 * half + 1)), 1.0
        return half * (second - half) * share / ((first + 2 * half - 1) * (first + 2 * half)), 1.0

    return _continued_fraction(coefficients, 1.0)


def _continued_fraction(coefficients: Callable[[int], tuple[float, float]], start: float) -> float:
    """Evaluate 1 / (start + a1 / (b1 + a2 / (b2 + ...))) by Lentz's method; `coefficients(step)` returns a and b."""
    d = 1.0 / (start if abs(start) > _TINY else _TINY)
    c, found = 1.0 / _TINY, d
    for step in range(1, _MOST_TERMS):
        a, b = coefficients(step)
        d = a * d + b
        d = 1.0 / (d if abs(d) > _TINY else _TINY)
        c = b + a / c
        c = c if abs(c) > _TINY else _TINY
        found *= d * c
        if abs(d * c - 1) < _PRECISION:
            break
    return found
