"""The SageMaker pipeline, written with the SageMaker Python SDK and built with neither network nor credentials.

definition.py     get_pipeline(config) -> the definition      steps.py          its steps
session.py        the SDK, kept offline                       validation.py     every request and reference in it, checked
placeholders.py   literals that the stack swaps for tokens
"""
