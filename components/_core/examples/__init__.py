"""The examples artifact: rows as Parquet, their splits, hashes and samples."""
