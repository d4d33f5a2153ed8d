"""Dialects: clients that speak Bedrock's or Vertex AI's form of the Messages API, served like any other."""
