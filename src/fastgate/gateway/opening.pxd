# What it is made of is known at run time only: this file has it compiled.
