"""How well the built-in scanners judge: recall on held-out samples, false alarms on ordinary source, and peers."""
