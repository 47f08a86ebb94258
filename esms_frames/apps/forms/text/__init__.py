"""Every word that a form shows, in both languages."""
