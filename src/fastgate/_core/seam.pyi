"""Where two strings of a body meet: seam.pyx. Nothing of it is for Python."""
