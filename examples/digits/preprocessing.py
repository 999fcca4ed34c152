"""How a picture becomes numbers. The same graph prepares the pictures for training and, inside the model, those of requests."""

import tensorflow as tf

SIZE = 32  # height and width that the model sees


def preprocessing_fn(inputs):
    """Features by name -> numbers by name. A picture comes as base64 text of a JPEG or PNG file; '' is a missing one."""
    shape = tf.TensorSpec([SIZE, SIZE, 3], tf.uint8)
    return {"pixels": tf.map_fn(to_pixels, inputs["picture"], fn_output_signature=shape)}


def to_pixels(text):
    """Base64 text of a picture of any size -> red, green and blue of each pixel, [32, 32, 3]; of a missing picture all are 0."""
    return tf.cond(text == "", lambda: tf.zeros([SIZE, SIZE, 3], tf.uint8), lambda: decode(text))


def decode(text):
    """Base64 text of a picture -> its pixels, scaled to one size."""
    pixels = tf.io.decode_image(tf.io.decode_base64(text), channels=3, expand_animations=False)
    scaled = tf.image.resize(pixels, [SIZE, SIZE], antialias=True)
    return tf.saturate_cast(tf.round(scaled), tf.uint8)
