"""The model server beside MLflow, MLServer, BentoML, a tutorial's FastAPI, and two floors: see __main__.py."""
