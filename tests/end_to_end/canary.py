"""The ways in which a secret may be written down, and where it was found.

A login sends the password in base64, in which it begins at any of three places of a group; a log or
a memory dump may hold it as it is, in hexadecimal digits, or escaped for a URL.

As a program it prints the texts to search for, one a line: canary.py SECRET | grep -rF -f - FOLDER
"""

import base64
import sys
import urllib.parse


def forms(secret):
    """All of them, as bytes. What depends on the text around it is cut off at both ends."""
    plain = secret.encode()
    found = {plain, urllib.parse.quote(secret, safe="").encode(), plain.hex().encode()}
    for before in range(3):
        whole = base64.b64encode(bytes(before) + plain)
        first = -(-before * 8 // 6)  # the characters that hold bits of what is before
        last = (before + len(plain)) * 8 // 6
        found.add(whole[first:last])
    return found


def hits(secret, places):
    """The names of those places (name -> bytes) that hold it."""
    texts = forms(secret)
    return sorted(name for name, content in places.items()
                  if any(text in content for text in texts))


if __name__ == "__main__":
    print("\n".join(sorted(text.decode() for text in forms(sys.argv[1]))))
