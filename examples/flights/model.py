"""The model: embeddings of the categories beside the numbers, two dense layers, one probability."""

import keras
from preprocessing import CALENDAR, CATEGORIES, NUMBERS


def build_model(inputs, transform, hyperparameters):
    """Keras inputs by name -> a Keras model. Numbers come as [rows, 1], indices as [rows]."""
    size = hyperparameters["embedding"]
    parts = [inputs[name] for name in NUMBERS]
    for name in CATEGORIES:
        known = transform.vocabulary_size_by_name(name) + 1  # and one bucket for values not seen in training
        parts.append(keras.layers.Embedding(known, size, name=f"embed_{name}")(inputs[name]))
    for name, bound in CALENDAR.items():
        parts.append(keras.layers.Embedding(bound, size, name=f"embed_{name}")(inputs[name]))
    hidden = keras.layers.Concatenate()(parts)
    for units in (64, 32):
        hidden = keras.layers.Dense(units, activation="relu")(hidden)
    return keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(hidden))
