"""Labels that people give: how far annotators agree, what is kept of their work, and which rows they should see next."""
