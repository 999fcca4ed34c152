"""The vocabulary of every stage: columns, signatures, labels, metrics. Lies below the project file."""
