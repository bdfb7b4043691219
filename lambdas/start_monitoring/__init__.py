"""The end of a window, or a person's question -> a Processing job that runs the analyzer."""
