"""One long-lived worker process that runs jobs for a face."""
