#!/usr/bin/env python3
"""What a terminal shows, as a page: standard input to standard output.

Knows the sequences that Sealift's screens use: bold, dim, and the eight colours.
"""
import html
import re
import sys

CLASSES = {"1": "bold", "2": "dim", "31": "red", "32": "green", "33": "yellow", "36": "cyan"}

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>sealift demo</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
  :root {{ color-scheme: dark; }}
  body {{ margin: 0; background: #0b0e14; display: grid; justify-items: center; }}
  main {{ box-sizing: border-box; margin: 40px 24px; background: #11151f; border: 1px solid #222a3a;
          border-radius: 12px; box-shadow: 0 18px 60px #0008; overflow: hidden; }}
  header {{ padding: 12px 18px; border-bottom: 1px solid #222a3a; color: #7d879c;
            font: 14px/1.2 ui-monospace, "DejaVu Sans Mono", monospace; }}
  header i {{ color: #7fd88f; font-style: normal; }}
  pre {{ margin: 0; padding: 14px 40px 10px 22px; color: #d5dbe8;
         font: 17px/1.42 "DejaVu Sans Mono", ui-monospace, "Noto Sans Mono CJK JP", monospace; }}
  .bold {{ font-weight: 700; color: #fff; }}
  .dim {{ color: #7d879c; }}
  .cyan {{ color: #6fc8e8; }}
  .red {{ color: #f2808a; }}
  .green, .green.bold {{ color: #7fd88f; }}
  .yellow {{ color: #e8c46f; }}
  @media (max-width: 600px) {{
    main {{ margin: 0; border: 0; border-radius: 0; width: 100%; }}
    header {{ padding: 12px 14px; }}
    pre {{ padding: 10px 8px 10px 6px; font-size: 13.2px; white-space: pre-wrap; overflow-wrap: anywhere; }}
  }}
</style>
<main><header><i>$</i> sealift demo</header><pre>{body}</pre></main>
</html>
"""


def spans(text):
    classes = []
    for piece in re.split(r"(\x1b\[[0-9;]*m)", text):
        if piece.startswith("\x1b["):
            codes = [code for code in piece[2:-1].split(";") if code not in ("", "0")]
            classes = classes + [CLASSES[code] for code in codes] if codes else []
        elif piece:
            body = html.escape(piece)
            yield f'<span class="{" ".join(classes)}">{body}</span>' if classes else body


print(PAGE.format(body="".join(spans(sys.stdin.read().strip("\n")))))
