"""Excel workbooks: the table in a sheet, found below titles and between empty rows and columns."""
