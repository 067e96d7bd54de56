"""`asynq.explain`: recordings of rounds, and what they explain."""
