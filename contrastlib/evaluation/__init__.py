"""Evaluations: what explanations are worth, measured per image."""
