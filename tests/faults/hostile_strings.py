"""Strings that attack whoever shows, stores or sends them, and what must be true of every exit.

Every string belongs to a family that is named, so that a failure tells what got through. They are
bytes: some are not UTF-8, some hold a NUL.
"""

import itertools
import random
import re

# What hostile text must never bring about: a file of this name, anywhere.
MARK = "traind-was-here"
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"

HEADERS = ["Bcc: evil@example.org", "RCPT TO:<evil@example.org>", "Subject: mine", "QUIT",
           "Content-Type: text/html", "DATA", "X-Traind-Run: other", "STATUS=evil", "READY=1"]
CSI = ["2J", "41mred", "1;1f", "6n", "?47h", "3J", "5i", "20t", "999;999r", "!p"]
OSC = ["0;title\a", "0;title\x1b\\", "52;c;ZXZpbA==\a", "52;c;ZXZpbA==\x1b\\", "4;1;#f00\a",
       "8;;http://evil.example\x1b\\here\x1b]8;;\x1b\\", "8;;file:///etc/passwd\ahere\x1b]8;;\a",
       "9;4;1;50\a", "777;notify;evil;words\a", "1337;File=name=ZXZpbA==:ZXZpbA==\a", "11;?\a"]
DCS = ["\x1bP+q544e\x1b\\", "\x1bP$q q\x1b\\", "\x1bP1;1|17/ab\x1b\\", "\x1b_app\x1b\\",
       "\x1b^privacy\x1b\\", "\x1bXstring\x1b\\", "\x1bc", "\x1b#8", "\x1b(0lqk", "\x1b=",
       "\x1bN\x1bO", "\x1b"]
INVALID = [b"\x80", b"\xbf", b"\xc3", b"\xc3(", b"\xc0\xaf", b"\xc1\xbf", b"\xe2\x82",
           b"\xe0\x80\xaf",
           b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xf0\x82\x82\xac", b"\xf4\x90\x80\x80",
           b"\xf8\x88\x80",
           b"\xfe\xff", b"\xff" * 64, b"\xf0\x9f\x98", b"caf\xe9", b"a\xffb\x1b[2J", b"\x9b2J",
           b"\x9d0;t\x9c", b"\x90q\x9c", b"\x84\x85\x8d"]
PATHS = ["../{m}", "../../{m}", "../../../../../../tmp/{m}", "/tmp/{m}", "/etc/{m}", "./{m}",
         "..", ".", "...", "~/{m}", "a/../../{m}", "..\\{m}", "//tmp/{m}", "a/b/{m}",
         "%2e%2e%2f{m}", "../{m}\0.toml", "/proc/self/environ", "/dev/stdin", "-rf", "--help",
         ".hidden", "con", "checkpoint-000000000003.safetensors/../../{m}"]
WORDS = ["$(touch /tmp/{m})", "`touch /tmp/{m}`", "; touch /tmp/{m}", "| touch /tmp/{m}",
         "&& touch /tmp/{m}", "${{IFS}}", "$HOME", "*", "?", "a b", "'", "\"", "\\", "!!", "#",
         "&", "<a",
         "x' OR '1'='1", "'; DROP TABLE runs; --", "<script>alert(1)</script>", "<img src=x>",
         "\"><a href=\"http://evil.example\">", "&lt;", "cid:chart",
         "--=_traind_alt_0000000000000000",
         "=?utf-8?q?=0d=0aBcc:_evil=40example.org?=", "=?utf-8?b?GzJK?="]
FORMATS = ["%s%s%s%s%s%n", "%n%n%n%n", "%x" * 50, "%1000000d", "{}", "{0}{1}", "{:1000000}",
           "{nope}",
           "%(name)s", "\\x1b[2J", "\\u202e", "&#27;[2J", "%1b[2J", "%0d%0aBcc: evil"]
TOML = ["\"\n[mail]\nto = [\"evil@example.org\"]\n#", "\"\nname = \"other", "\"\"\"", "'''", "]",
        "[[", "= =",
        "\"]\n[noise]\nlines = 9", "\\u0000", "\\uD800", "\\", "#", "name.x = 1", "\ufeff", "\"\0"]


def strings():
    """(family, bytes), each once; more than two hundred."""
    rng = random.Random(5)
    made = []

    def add(family, *texts):
        for text in texts:
            text = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
            made.append((family, text))

    for header, end in itertools.product(HEADERS, ["\r\n", "\n", "\r"]):
        add("header", f"a{end}{header}{end}")
    add("line end", "\r", "\n", "a\r\n\r\nbody", "a\n\n\nb", "\r\n.\r\n", "\n.\n", "a\u2028b",
        "a\u2029b", "a\x85b",
        "a\vb", "a\fb", "x\r\n\t folded: y")
    add("CSI", *(f"a\x1b[{tail}" for tail in CSI), "\x1b[", "\x1b[31", "\x1b[" + "9" * 3000)
    add("OSC", *(f"a\x1b]{tail}" for tail in OSC), "\x1b]", "\x1b]0;" + "t" * 3000)
    add("DCS", *DCS)
    add("C0", *(f"a{chr(code)}b" for code in range(32)), "a\x7fb", "a\b\b\b\bb",
        "done\r        \rfailed")
    add("C1", *(f"a{chr(code)}b" for code in range(0x80, 0xa0)), "\x9b2J", "\x9d0;t\x9c",
        "\x90q\x9c")
    add("bidi", *(f"a{mark}gpj.exe" for mark in BIDI), "\u202e" * 200, "\u2067\u2066\u202e\u2069")
    add("invisible",
        *(f"pass{mark}word" for mark in "\u200b\u2060\u2064\u206a\ufeff\ufff9\ufffb\u180e"),
        "".join(chr(0xe0020 + code) for code in range(1, 90)), "\u2028\u2029", "\ufffe",
        "\U0001fffe",
        "a\u200d\u200cb", "\u00ad" * 80)
    add("NUL", "\0", "a\0b", "a.toml\0.png", "\0" * 500)
    add("path", *(text.format(m=MARK) for text in PATHS))
    add("words", *(text.format(m=MARK) for text in WORDS))
    add("format", *FORMATS)
    add("TOML", *TOML)
    add("long", "A" * 4096, "\x1b[2J" * 1024, "\u202e" * 1365, "\U0001f600" * 1024, "a " * 2048,
        b"\xff" * 4096,
        ".." + "/.." * 1364)
    add("combining", "e" + "\u0301" * 2000, "".join(f"a{chr(0x300 + i % 112)}" for i in range(500)),
        "\u0489" * 500, "\ufe0f" * 300)
    add("invalid", *INVALID, *(rng.randbytes(rng.randint(1, 60)) for _ in range(20)))
    add("mixed", *(rng.choice(made)[1] + rng.choice(made)[1] for _ in range(30)))
    unique = list({text: (family, text) for family, text in made if text}.values())
    assert len(unique) >= 200, len(unique)
    return unique


def is_text(string):
    """Whether a protobuf string can hold it."""
    try:
        string.decode("utf-8")
        return True
    except UnicodeDecodeError:
        return False


# What we write to a terminal ourselves: colours, the live screen of `watch`, the worker's progress.
COLOUR = re.compile(r"\x1b\[(?:0|1|2|31|32|33|36)m")
SCREEN = re.compile(r"\x1b\[\?1049h\x1b\[\?25l\x1b\[2J|"
                    r"\x1b\[\?2026l\x1b\[0m\x1b\[\?25h\x1b\[\?1049l|"
                    r"\r\x1b\[K|\x1b\[\?2026h\x1b\[H|\x1b\[K|\x1b\[J\x1b\[\?2026l")


def faults_of(data, allowed="\n"):
    """What in these bytes could steer whatever shows them; empty = nothing."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        return [f"not UTF-8: {data[max(0, error.start - 40):error.start + 20]!r}"]
    found = []
    for at, character in enumerate(text):
        code = ord(character)
        control = code < 32 or 0x7f <= code < 0xa0
        steers = control or character in BIDI or code in (0x2028, 0x2029)
        if steers and character not in allowed:
            found.append(f"U+{code:04X} in {text[max(0, at - 40):at + 20]!r}")
    return found[:3]


def faults_on_terminal(data, live=False):
    """The same of what a pseudo-terminal was sent, less what we make ourselves."""
    text = data.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    if live:
        text = SCREEN.sub("", text)
    return faults_of(COLOUR.sub("", text).encode("utf-8", "surrogateescape"), "\n\t")
