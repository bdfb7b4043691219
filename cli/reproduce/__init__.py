"""`tide reproduce`: a registered model, made again from its data, code, libraries and seed, and compared with itself.

recipe.py    what the run did, from the registry and the pipeline's definition          workshop.py    doing it again, on this machine
command.py   the command, and what it says
"""
