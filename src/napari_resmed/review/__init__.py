"""How good a result is: metrics, reports and plots."""
