"""The forms in a real browser: JupyterLab and Voila, driven through Chromium, against the sandbox."""
