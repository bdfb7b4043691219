"""Dataset version -> pipeline execution, with the champion that it must beat."""
