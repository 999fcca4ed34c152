"""Arrow IPC files and streams: as files, and as what a database gives."""
