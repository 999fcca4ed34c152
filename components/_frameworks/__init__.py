"""Machine-learning frameworks: the contract (`contract.py`), the table by name (`table.py`), one package for each."""
