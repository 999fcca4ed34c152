"""The model: an embedding of each term, their mean and their maximum, then one dense layer."""

import keras


def build_model(inputs, transform, hyperparameters):
    """Keras inputs by name -> a Keras model. Terms come as [rows, 64], whole numbers; 0 is none."""
    terms = inputs["terms"]
    known = transform.vocabulary_size_by_name("terms") + 2  # and one bucket for unknown terms, and the 0 of none
    there = keras.ops.cast(keras.ops.expand_dims(keras.ops.not_equal(terms, 0), -1), "float32")
    hidden = keras.layers.Embedding(known, hyperparameters["embedding"], name="embed_terms")(terms) * there
    mean = keras.ops.sum(hidden, axis=1) / keras.ops.maximum(keras.ops.sum(there, axis=1), 1.0)
    hidden = keras.layers.Concatenate()([mean, keras.ops.max(hidden, axis=1)])
    hidden = keras.layers.Dropout(0.5, seed=1)(hidden)
    return keras.Model(inputs, keras.layers.Dense(hyperparameters["classes"], activation="softmax")(hidden))
