"""The notebooks in a browser: JupyterLab and Voilà, driven by mouse and keyboard."""
