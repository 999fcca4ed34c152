"""Pages, plots and HTML: what a stage shows to a person."""
