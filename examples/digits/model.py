"""The model: three convolutions, then one dense layer. Pictures are varied at random while it is trained, and only then."""

import keras


def build_model(inputs, transform, hyperparameters):
    """Keras inputs by name -> a Keras model. Pixels come as [rows, 32, 32, 3], whole numbers from 0 to 255."""
    seed = hyperparameters["seed"]
    hidden = keras.layers.Rescaling(1 / 127.5, offset=-1)(inputs["pixels"])
    hidden = keras.layers.RandomTranslation(0.1, 0.1, fill_mode="nearest", seed=seed)(hidden)
    hidden = keras.layers.RandomZoom(0.1, fill_mode="nearest", seed=seed)(hidden)
    for filters in (24, 48, 64):
        hidden = keras.layers.Conv2D(filters, 3, padding="same", use_bias=False)(hidden)
        hidden = keras.layers.BatchNormalization(momentum=0.9)(hidden)
        hidden = keras.layers.Activation("relu")(hidden)
        hidden = keras.layers.MaxPooling2D()(hidden)
    hidden = keras.layers.Flatten()(hidden)
    hidden = keras.layers.Dropout(0.3, seed=seed)(hidden)
    hidden = keras.layers.Dense(64, activation="relu")(hidden)
    return keras.Model(inputs, keras.layers.Dense(hyperparameters["classes"], activation="softmax")(hidden))
