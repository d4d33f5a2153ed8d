"""What budgets that are only proposed would have done to recorded calls.

replay: the calls, one after another. prices: what a cheaper model would have cost. report: what was found, as values.
page: the same to read, with a plot. proposal: the file of proposed budgets, and the run over this gateway's records.
"""
