"""`tide lineage`: which data made this model, where it served, and what came of the traffic.

graph.py     nodes and edges, and what leads to or follows from one of them (pure)
gather.py    the graph of an app, by AWS calls alone            draw.py     the graph as a picture
studio.py    what SageMaker's own lineage is told of it
"""
