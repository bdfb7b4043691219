"""Batch predictions: a table becomes parts in S3, a transform job predicts them, and every row is accounted for.

    rows.py      a table's rows against the model's signature: a line for the model, or the reason why not
    parts.py     lines packed into objects, and an object that failed divided into smaller ones
    answers.py   what came back, checked against what was sent
    names.py     jobs, places in S3, and the transform job itself

A part is an object of JSON Lines, {"row": 7, "id": "c-12", "features": {...}}. Batch Transform sends `features` to the model and joins its
answer with `row` and `id`, so nothing has to be remembered to know whose prediction it is. It writes the output of a part when all of it
is predicted, and none when a record fails. A part without output is therefore sent again in pieces, a few rounds long; what has no
output then is a failed row. So each row of the table is predicted, rejected or failed, exactly once (docs/adr/0024).

Everything here is pure: whoever calls it moves the bytes.
"""
