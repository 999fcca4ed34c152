"""Spans that earlier runs have read, kept in the store: an unchanged span is taken from there instead of being read again.

    STORE/PROJECT/spans/
        index-TIME-RANDOM.json.gz   what a run read: a record for each span, and the notes on its files
        TIME-RANDOM/                one span: its rows by split, the rows set aside, `entry`

Entries are never changed. The last runs' indexes are kept, with the entries that they name; all else is removed.
"""
