"""Transform: run the project's preprocessing_fn over the training rows once, and apply its graph to all of them."""
