"""`tide reproduce`: a registered model, made again from its data, code, libraries and seed, and compared with itself.

recipe.py    how the model was made, from its package          workshop.py    doing it again, on this machine
command.py   the command, and what it says
"""
