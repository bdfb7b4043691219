"""Dataset version -> pipeline execution, with the champion that it must beat; and when the loop makes such a version by itself."""
