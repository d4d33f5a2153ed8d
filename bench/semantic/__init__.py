"""How often a semantic cache is right: sets of pairs with a known answer, rules that decide on them, and speed."""
