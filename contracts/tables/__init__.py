"""Tables as texts: CSV, JSON Lines and Parquet read alike, in bounded memory, one row after the other.

    formats.py      which format a file is in, by its name; what is wrong with a file
    sources.py      bytes as files: digested, unpacked
    delimited.py    CSV
    json_lines.py   JSON Lines
    columnar.py     Parquet; the only one that needs pyarrow, which is imported when a Parquet file is opened
    apart.py        the same in a process of its own, which a broken file may end
    texts.py        what a typed cell is as text
    reading.py      all of them by one name

A cell is a text, whatever the format, and the data contract says what it means (contracts/columns.py): the same value has the same text, so
that a table in another format is the same table.

    missing         the empty text: CSV's empty cell, JSON's null or a key that is not there, Parquet's null, and NaN of its numbers
    truth values    true, false
    integers        their digits: 42
    numbers         the shortest text that gives the same number back, of the width that it is stored in: 0.1, 1.0, 1e+16
    decimals        all of their places: 1.50
    dates           2026-11-20
    times           2026-11-20T10:00:00 with microseconds if there are any; with a zone in UTC, 2026-11-20T10:00:00+00:00
    texts           as they are

CSV has no types, so its cells are taken as they are written: a CSV file says `1.50` or `True` where others can only say 1.5 or true. For
numbers, times and truth values this is the same; a category's text is its identity.
"""
