"""The house rules as functions: source text in, complaints out. tests/test_tidy.py applies them to the tree."""
