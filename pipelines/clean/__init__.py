"""`naru clean`: remove what grows, and never what a champion, a rollback or a record needs."""
