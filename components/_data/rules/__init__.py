"""Rules of a project about rows: which are left out (`data.rows`), and what is expected of the others (`data.checks`)."""
