"""The object store and what Naru keeps in it: file systems, append logs, the ledger, the rollout history."""
