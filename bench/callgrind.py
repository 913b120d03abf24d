# SPDX-License-Identifier: MIT
"""Reads what callgrind writes: the instructions of each function itself.

The format is in valgrind's manual, "Callgrind Format Specification". A name is
given once, as "fn=(12) uv_run", and then is "fn=(12)". The line after "calls="
is what the call cost, which is in the callee's own lines already.
"""
import re
from collections import Counter
from pathlib import Path
from types import MappingProxyType

# Which of a line's keys share their numbers.
KINDS = MappingProxyType({"ob": "ob", "cob": "ob", "fn": "fn", "cfn": "fn"})
NAMED = re.compile(r"(ob|cob|fn|cfn)=(?:\((\d+)\))?\s*(.*)")
COST = re.compile(r"[+*\-\d]\S* (\d+)$")
VERSIONED = re.compile(r"(-\d[\d.]*)?\.so.*")


def module_name(path):
    """/lib/libuv.so.1.0.0 is libuv, and /lib/ld-linux-x86-64.so.2 ld-linux."""
    return VERSIONED.sub("", Path(path).name)


def self_costs(path):
    """Counter of (module, function)."""
    names, here, costs = {}, {}, Counter()
    called = False
    for line in Path(path).read_text(errors="replace").splitlines():
        named = NAMED.match(line)
        cost = COST.match(line)
        if named:
            key, number, name = named.groups()
            kind = KINDS[key]
            if number is not None:
                name = names.setdefault((kind, number), name)
            if key == kind:
                here[kind] = name
        elif line.startswith("calls="):
            called = True
        elif cost:
            if not called:
                costs[module_name(here["ob"]), here["fn"]] += int(cost.group(1))
            called = False
    return costs
