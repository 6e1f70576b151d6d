"""What several docks are made of."""
