"""The control plane: compiles and publishes what workers use, reads what they write. Workers never import it."""
