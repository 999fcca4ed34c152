"""Pages, plots and HTML of stages."""
