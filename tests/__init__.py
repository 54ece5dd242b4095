"""What Holdfast promises, one sentence a test."""
