"""TFRecord files of tf.Example: framing and checksums here, decoding by tfx_bsl, without TensorFlow."""
