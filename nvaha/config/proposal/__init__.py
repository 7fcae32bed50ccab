"""A first configuration, proposed from what Azure's lists say: pure, from ARM bodies to a file's text.

`seen` reads the bodies, `members` finds the NVAs, `propose` says what would follow them, `text` writes it.
"""
