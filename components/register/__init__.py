"""Register: make the model a version in the registry, with everything needed to reproduce it."""
