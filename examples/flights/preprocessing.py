"""How a flight becomes numbers. Called once on all training rows; the same graph then serves."""

import tensorflow as tf
import tensorflow_transform as tft

NUMBERS = ["dep_delay", "distance", "sched_dep_time", "sched_arr_time", "day"]
CATEGORIES = ["carrier", "origin", "dest"]
CALENDAR = {"month": 13, "hour": 24}  # whole numbers below a bound


def preprocessing_fn(inputs):
    """Features by name -> numbers by name, each one value per row. The label is not among them."""
    outputs = {}
    for name in NUMBERS:
        outputs[name] = z_score(inputs[name])
    for name in CATEGORIES:
        outputs[name] = tft.compute_and_apply_vocabulary(inputs[name], num_oov_buckets=1, vocab_filename=name)
    for name, bound in CALENDAR.items():
        outputs[name] = tf.clip_by_value(inputs[name], 0, bound - 1)
    return outputs


def z_score(values):
    """(value - mean) / standard deviation. A missing value (NaN) counts in neither, and becomes the mean: 0."""
    scaled = tft.scale_to_z_score(tf.cast(values, tf.float32))
    return tf.where(tf.math.is_nan(scaled), 0.0, scaled)
