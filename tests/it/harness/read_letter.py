"""Reads a letter with Python's own parser, for tests to compare with what they sent: JSON of its headers and its tree of parts."""

import email
import email.policy
import hashlib
import json
import sys


def told(part):
    tree = {
        "type": part.get_content_type(),
        "headers": {name.lower(): str(value) for name, value in reversed(part.items())},
    }
    if part.is_multipart():
        return tree | {"parts": [told(each) for each in part.iter_parts()]}
    content = part.get_payload(decode=True) or b""
    tree |= {
        "disposition": part.get_content_disposition(),
        "file_name": part.get_filename(),
        "content_id": (part["content-id"] or "").strip().strip("<>") or None,
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    if part.get_content_maintype() == "text":
        tree["text"] = part.get_content().replace("\r\n", "\n")
    return tree


with open(sys.argv[1], "rb") as file:
    raw = file.read()
letter = email.message_from_bytes(raw, policy=email.policy.default)
lines = raw.split(b"\r\n")
answer = told(letter) | {
    "defects": [type(defect).__name__ for part in letter.walk() for defect in part.defects],
    "longest_line": max(map(len, lines)),
    "bare_line_ends": any(b"\n" in line or b"\r" in line for line in lines),
}
json.dump(answer, sys.stdout)
