#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The reference of the public header: reference.py FOLDER

Runs Doxygen with warnings as errors, and then looks at what it has understood:
Doxygen before 1.9.7 does not warn of an enum's value without a comment, none
does of a function in a file whose own comment is gone. The HTML is in
FOLDER/html.
"""
import pathlib
import shutil
import subprocess
import sys
import xml.etree.ElementTree as tree

root = pathlib.Path(__file__).resolve().parent.parent
core = root / "src" / "core"


def documented(element):
    return any("".join(element.find(part).itertext()).strip()
               for part in ("briefdescription", "detaileddescription")
               if element.find(part) is not None)


def main(folder):
    shutil.rmtree(folder / "xml", ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    settings = (root / "scripts" / "Doxyfile").read_text()
    settings += f'OUTPUT_DIRECTORY = "{folder}"\n'
    subprocess.run(["doxygen", "-"], input=settings, text=True, cwd=core,
                   check=True)
    faults, found = [], set()
    for page in sorted((folder / "xml").glob("*.xml")):
        for element in tree.parse(page).iter():
            kind = element.get("kind", element.tag)
            name = (element.findtext("compoundname")
                    if element.tag == "compounddef" else
                    element.findtext("name"))
            if element.tag in ("compounddef", "memberdef", "enumvalue"):
                if kind not in ("dir", "page"):
                    found.add(name)
                    if not documented(element):
                        faults.append(f"no comment: {kind} {name}")
    header = (core / "teller.h").read_text()
    wanted = set((core / "teller.symbols").read_text().split())
    wanted.update(line.split("(")[0].split()[1] for line in header.splitlines()
                  if line.startswith("#define TLR_"))
    wanted.update(line.split()[1] for line in header.splitlines()
                  if line.startswith(("struct tlr_", "enum tlr_"))
                  and "(" not in line)
    wanted = {name.rstrip(";") for name in wanted}
    wanted -= {"TLR_EXTERN", "TLR_TELLER_H"}
    faults += [f"not in the reference: {name}" for name in wanted - found]
    print("\n".join(sorted(faults)) or f"{len(found)} names, each with a comment")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve()))
