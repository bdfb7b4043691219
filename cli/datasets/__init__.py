"""Data as versions: what `tide data` does with files, on plain S3 object versions.

scan.py      a file or folder as local files            index.py     their SHA-256, remembered; what was sent already
store.py     versions in the data bucket                send.py      files to S3, in parallel, resumed where it ended
fetch.py     a version into a folder                    receive.py   contents from S3, in parallel, resumed where it ended
check.py     a version held against its manifest        difference.py     two versions, from their manifests alone
pruning.py   what may go                                streams.py   bytes of object versions, as they come
parallel.py  many things at once
"""
