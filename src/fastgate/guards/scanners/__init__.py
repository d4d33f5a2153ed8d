"""The families of rules, one file each, every one with a `SCANNER`. A file that begins with an underscore is shared."""
