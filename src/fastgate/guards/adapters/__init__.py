"""Other people's guards, one file a vendor: what they are asked, what their answers mean. No file knows another.

An answer that did not come, came late, or could not be read is `not_scanned`, never a pass.
"""
