# SPDX-License-Identifier: Apache-2.0
"""Reads protobuf text format without a schema.

A message is a Message: its fields in order, by name, each with the values
that it was given. A string is bytes, a number or word is a str.
"""

import re

TOKEN = re.compile(
    rb"""(?P<blank>(?:\s|\#[^\n]*)+)
       | (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
       | (?P<word>[-+]?[\w.]+(?:[-+]?\w+)*)
       | (?P<any>\[[\w./]+\])
       | (?P<mark>[{}<>:,;\[\]])""",
    re.X | re.S,
)
SIMPLE = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b", b"f": b"\f",
          b"v": b"\v"}
ESCAPE = re.compile(rb"\\([0-7]{1,3}|[xX][0-9a-fA-F]{1,2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)",
                    re.S)


class Message:
    def __init__(self):
        self.fields = []

    def all(self, name):
        return [value for key, value in self.fields if key == name]

    def one(self, name, default=None):
        values = self.all(name)
        return values[-1] if values else default

    def names(self):
        return [key for key, _ in self.fields]


def unescape(literal):
    def replace(match):
        code = match.group(1)
        if code[:1] in b"uU":
            return chr(int(code[1:], 16)).encode()
        if code[:1] in b"xX" and len(code) > 1:
            return bytes([int(code[1:], 16)])
        if code[:1].isdigit():
            return bytes([int(code, 8)])
        return SIMPLE.get(code, code)

    return ESCAPE.sub(replace, literal[1:-1])


class Parser:
    def __init__(self, text):
        self.tokens = []
        at = 0
        while at < len(text):
            match = TOKEN.match(text, at)
            if match is None:
                line = text.count(b"\n", 0, at) + 1
                raise ValueError("line %d: %r" % (line, text[at:at + 20]))
            if match.lastgroup != "blank":
                self.tokens.append((match.lastgroup, match.group()))
            at = match.end()
        self.at = 0

    def peek(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else (None, None)

    def take(self):
        token = self.peek()
        self.at += 1
        return token

    def skip(self, *marks):
        if self.peek()[1] in marks:
            self.at += 1
            return True
        return False

    def scalar(self):
        kind, text = self.take()
        if kind == "word":
            return text.decode()
        if kind != "string":
            raise ValueError("expected a value, found %r" % text)
        value = unescape(text)
        while self.peek()[0] == "string":
            value += unescape(self.take()[1])
        return value

    def value(self):
        if self.skip(b"{"):
            return self.message(b"}")
        if self.skip(b"<"):
            return self.message(b">")
        return self.scalar()

    def message(self, end):
        message = Message()
        while not self.skip(end):
            kind, name = self.take()
            if kind not in ("word", "any"):
                raise ValueError("expected a field, found %r" % name)
            self.skip(b":")
            if self.skip(b"["):
                while not self.skip(b"]"):
                    message.fields.append((name.decode(), self.value()))
                    self.skip(b",")
            else:
                message.fields.append((name.decode(), self.value()))
            self.skip(b",", b";")
        return message


def parse(text):
    """The message that the bytes of a file hold."""
    return Parser(text + b"}").message(b"}")
