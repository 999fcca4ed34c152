"""A layer of a few units over both features."""

import keras


def build_model(inputs, transform, hyperparameters):
    """Keras inputs by name -> a Keras model."""
    known = transform.vocabulary_size_by_name("zone") + 1
    zone = keras.layers.Embedding(known, hyperparameters["embedding"])(inputs["zone"])
    hidden = keras.layers.Dense(4, activation="relu")(keras.layers.Concatenate()([inputs["weight"], zone]))
    return keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(hidden))
