"""API request -> what is live, and the API's OpenAPI document."""
