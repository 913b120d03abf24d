#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The C in the guide and in README.md is taken from programs that are compiled
and run. In a program

    /* [name] */
    ...
    /* [/name] */

and in a text, before a block of C (whatever is in it):

    <!-- src/guide/program.c name -->

snippets.py --update writes the blocks; without it, it fails if one differs, has
no such line before it, or names what there is not.
"""
import pathlib
import re
import sys
import textwrap

root = pathlib.Path(__file__).resolve().parents[2]
BLOCK = re.compile(
    r"(?:^<!-- (?P<file>\S+) (?P<name>\S+) -->\n)?"
    r"^(?P<fence>```+)[ \t]*c\b.*\n(?P<text>(?:.*\n)*?)(?P=fence)$",
    re.MULTILINE | re.IGNORECASE)
MARK = re.compile(r"[ \t]*/\* \[/?[\w-]+\] \*/\n")


def part(file, name):
    path = root / file
    if not path.is_file():
        raise ValueError(f"there is no {file}")
    found = re.findall(rf"^[ \t]*/\* \[{re.escape(name)}\] \*/\n(.*?)"
                       rf"^[ \t]*/\* \[/{re.escape(name)}\] \*/\n",
                       path.read_text(encoding="utf-8"), re.M | re.S)
    if len(found) != 1:
        raise ValueError(f"{file} has {len(found)} parts called [{name}]")
    return textwrap.dedent(MARK.sub("", found[0]))


def main(update):
    texts = [root / "README.md", *sorted((root / "src").rglob("*.md"))]
    faults, blocks = [], 0
    for path in texts:
        text = path.read_text(encoding="utf-8")

        def replace(match):
            nonlocal blocks
            blocks += 1
            line = text[:match.start()].count("\n") + 1
            where = f"{path.relative_to(root)}:{line}"
            if match["file"] is None:
                faults.append(f"{where}: C that is taken from nowhere")
                return match[0]
            try:
                wanted = part(match["file"], match["name"])
            except ValueError as fault:
                faults.append(f"{where}: {fault}")
                return match[0]
            if match["text"] != wanted and not update:
                faults.append(f"{where}: differs from {match['file']}, "
                              f"[{match['name']}]: snippets.py --update")
            return (f"<!-- {match['file']} {match['name']} -->\n"
                    f"```c\n{wanted}```")

        written = BLOCK.sub(replace, text)
        if update and written != text:
            path.write_text(written, encoding="utf-8", newline="\n")
    if blocks == 0:
        faults.append("no C at all")
    print("\n".join(faults) or f"{blocks} blocks, as in their files")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main("--update" in sys.argv[1:]))
