"""Training a network that tells what an image as a whole is."""
