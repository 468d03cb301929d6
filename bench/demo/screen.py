# SPDX-License-Identifier: Apache-2.0
"""What the demo prints: a picture that changes in place on a terminal,
plain lines anywhere else. Made for 100 columns."""

import os
import shutil
import sys

COLOURS = {"high": "1;32", "medium": "33", "low": "2", "bold": "1", "dim": "2",
           "red": "1;31"}


class Screen:
    def __init__(self, out=sys.stdout):
        self.out = out
        self.live = out.isatty() and os.environ.get("TERM") != "dumb"
        self.colours = self.live and not os.environ.get("NO_COLOR")
        self.height = 0

    def paint(self, text, colour):
        if not self.colours or colour not in COLOURS:
            return text
        return f"\x1b[{COLOURS[colour]}m{text}\x1b[0m"

    def line(self, text=""):
        """A line that stays. With a picture on the screen, it goes above."""
        if self.live:
            self.erase()
        print(text, file=self.out, flush=True)

    def erase(self):
        if self.height:
            self.out.write(f"\x1b[{self.height}A\x1b[J")
            self.height = 0

    def picture(self, lines):
        """Replaces the picture. Does nothing where there is no terminal."""
        if not self.live:
            return
        size = shutil.get_terminal_size((100, 40))
        lines = lines[:size.lines - 1]
        up = f"\x1b[{self.height}A" if self.height else ""
        # Each line is cleared before it is written: no flicker.
        # From column one, wherever an echoed ^C has left the cursor.
        body = "".join(f"\r\x1b[2K{self.fit(line, size.columns)}\n"
                       for line in lines)
        self.out.write(up + body + "\x1b[J")
        self.out.flush()
        self.height = len(lines)

    def keep(self):
        """The picture stays; what comes next goes below it."""
        self.height = 0

    @staticmethod
    def fit(line, columns):
        """Cuts to the width, not counting escape sequences."""
        shown, at = 0, 0
        while at < len(line) and shown < columns:
            if line[at] == "\x1b":
                at = line.index("m", at) + 1
            else:
                at, shown = at + 1, shown + 1
        return line[:at] + ("\x1b[0m" if at < len(line) else "")
