#!/usr/bin/python3
"""Reads every message that render_samples writes as a strict mail reader would.

message_parse_test.py RENDER_SAMPLES: exits 0 if each parses without a defect, has exactly the
expected headers and parts, and holds no control character in any decoded text.
"""

import email
import email.policy
import html.parser
import pathlib
import subprocess
import sys
import tempfile
import unicodedata

HEADERS = [
    "Date", "From", "To", "Subject", "Message-ID", "In-Reply-To", "References", "Thread-Topic",
    "Thread-Index", "X-Traind-Run", "X-Traind-Epoch", "X-Traind-Kind", "List-Id",
    "Auto-Submitted", "MIME-Version", "Content-Type",
]
CHARTED = ("epoch", "end", "failure", "restart", "warning", "digest")
OF_RUNS = {"In-Reply-To", "References", "Thread-Topic", "Thread-Index", "X-Traind-Run"}
TAGS = {
    "html", "head", "meta", "title", "body", "table", "tr", "td", "th", "h1", "h2", "p", "div",
    "pre", "img", "b", "br",
}
VOID = {"meta", "img", "br"}
BIDI = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class Document(html.parser.HTMLParser):
    """Collects what is wrong with the nesting, and the pictures."""

    def __init__(self):
        super().__init__()
        self.open, self.wrong, self.pictures = [], [], []

    def handle_starttag(self, tag, attributes):
        if tag not in TAGS or any(name.startswith("on") for name, _ in attributes):
            self.wrong.append(f"<{tag} {attributes}>")
        if tag == "img":
            self.pictures.append(dict(attributes))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}>")


def controls(text):
    text = text.replace("\r\n", "\n")
    return [c for c in text if (unicodedata.category(c) == "Cc" and c != "\n") or c in BIDI]


def check_headers(message, kind):
    expected = [name for name in HEADERS if kind != "test" or name not in OF_RUNS]
    expected = [n for n in expected if n != "X-Traind-Epoch" or kind not in ("test", "start")]
    assert message.keys() == expected, message.keys()
    for name, value in message.items():
        assert not value.defects, (name, value.defects)
        assert not controls(str(value)), (name, str(value))
    assert message["Date"].datetime.utcoffset().total_seconds() == 0
    assert message["To"].addresses[0].addr_spec == "me@example.org"
    assert message["From"].addresses[0].addr_spec == "traind@ip-10-0-0-7.ec2.internal"
    assert len(message["From"].addresses) == len(message["To"].addresses) == 1
    assert str(message["Subject"]).startswith("[traind] ")


def check_parts(message, kind):
    types = [part.get_content_type() for part in message.walk()]
    plain = ["multipart/alternative", "text/plain", "text/html"]
    charted = ["multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png"]
    wanted = charted if kind in CHARTED else plain
    assert types == wanted, types
    for part in message.walk():
        assert not part.defects, part.defects
        if part.get_content_maintype() == "text":
            assert not controls(part.get_content()), part.get_content()


def check_html(message):
    document = Document()
    content = message.get_body(("html",)).get_content()
    document.feed(content)
    document.close()
    assert not document.wrong and not document.open, (document.wrong, document.open)
    assert len(content.encode()) < 100_000
    ids = [part["Content-ID"] for part in message.walk() if part["Content-ID"]]
    assert [f"<{picture['src'][4:]}>" for picture in document.pictures] == ids
    for part in message.walk():
        if part.get_content_type() == "image/png":
            assert part.get_content().startswith(b"\x89PNG\r\n\x1a\n")


def main():
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.argv[1], folder], check=True)
        paths = sorted(pathlib.Path(folder).glob("*.eml"))
        assert len(paths) > 190, len(paths)
        for path in paths:
            message = email.message_from_bytes(path.read_bytes(), policy=email.policy.strict)
            kind = path.stem.partition("-")[0]
            try:
                check_headers(message, kind)
                check_parts(message, kind)
                check_html(message)
            except AssertionError:
                print(path.name, path.read_bytes()[:3000].decode("ascii", "replace"))
                raise
    print(len(paths), "messages read")


if __name__ == "__main__":
    main()
