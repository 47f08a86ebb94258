"""The journal's knowledge of people: who had advertising, who must not be contacted, who is forgotten."""
