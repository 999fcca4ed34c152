"""How a parcel becomes numbers."""

import tensorflow as tf
import tensorflow_transform as tft


def preprocessing_fn(inputs):
    """Features by name -> numbers by name."""
    return {
        "weight": tft.scale_to_z_score(tf.cast(inputs["weight"], tf.float32)),
        "zone": tft.compute_and_apply_vocabulary(inputs["zone"], num_oov_buckets=1, vocab_filename="zone"),
    }
