"""Plan, send, resume: nobody is texted twice."""
