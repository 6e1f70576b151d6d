"""From a prepared image to class scores."""
