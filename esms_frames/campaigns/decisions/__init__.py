"""Pure decisions: who is texted, in which batches, and what an answer proves."""
