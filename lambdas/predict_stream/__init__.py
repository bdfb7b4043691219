"""Kinesis record -> endpoint -> prediction on another stream and in S3."""
