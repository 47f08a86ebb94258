"""The durable record of every batch, written before anything is sent."""
