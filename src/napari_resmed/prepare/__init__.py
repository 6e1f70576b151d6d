"""One description of preprocessing, used alike by training and prediction, and its inverse."""
