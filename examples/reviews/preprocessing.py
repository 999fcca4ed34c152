"""How a review becomes numbers: places of its words and pairs of words in a vocabulary. The same graph then serves."""

import tensorflow as tf
import tensorflow_transform as tft

TERMS = 64  # of one review that the model sees; a longer one is cut
RAREST = 3  # a term of the vocabulary is in so many reviews, or more often


def preprocessing_fn(inputs):
    """Features by name -> numbers by name. A text comes as it is; '' is a missing one. The label is not among them."""
    terms = to_terms(inputs["review"])
    places = tft.compute_and_apply_vocabulary(
        terms.to_sparse(), frequency_threshold=RAREST, num_oov_buckets=1, vocab_filename="terms"
    )
    return {"terms": to_vectors(places)}


def to_terms(texts):
    """Texts [rows] -> their words and pairs of neighbouring words, as a ragged tensor [rows, terms]."""
    plain = tf.strings.regex_replace(
        tf.strings.lower(texts), r"@\w+|https?://\S+", " "
    )  # accounts and links say little
    apart = tf.strings.regex_replace(plain, r"([!?]+)", r" \1 ")
    words = tf.strings.split(tf.strings.regex_replace(apart, r"[^\w!?']+", " "))
    return tf.concat([words, tf.strings.ngrams(words, 2)], axis=1)


def to_vectors(sparse):
    """Places in the vocabulary, sparse [rows, any] -> dense [rows, TERMS], counted from 1; 0 where there is no term."""
    dense = tf.sparse.to_dense(sparse, default_value=-1)[:, :TERMS] + 1
    filled = tf.pad(dense, [[0, 0], [0, TERMS - tf.shape(dense)[1]]])
    return tf.ensure_shape(filled, [None, TERMS])
