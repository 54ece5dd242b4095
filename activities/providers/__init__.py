"""Model providers, each behind one function: a request in, content and usage out."""
