#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the tests reach of src/core: coverage.py [--no-run]

Builds the preset "coverage" and runs its tests, or, with --no-run, looks at what
they left before. Prints a line for each file; what was not reached is listed in
build/coverage/missing.txt, one place a line. 0: at least LINES and BRANCHES per
cent were; 1: fewer; 2: it could not be measured, or a test failed.

It is clang that counts: a branch is a way a condition of the source can turn
out, each operand of && and || by itself. gcov counts the jumps of the compiler
instead, with those that no source has. Left out is one way of each TLR_CHECK():
that a contract is broken, which ends the process. Nothing else is; but files of
another system are not compiled, and so not counted.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys

LINES = 95
BRANCHES = 85
# They look at the build and not into the library.
EXCEPT = "^(symbols|hardening|manual_.*|guide_snippets)$"

root = pathlib.Path(__file__).resolve().parent.parent
tree = pathlib.Path(os.environ.get("TELLER_BUILD_DIR", root / "build"),
                    "coverage").resolve()
profiles = tree / "profiles"


class Trouble(Exception):
    pass


def run(*command, **how):
    done = subprocess.run([str(word) for word in command], check=False, cwd=root,
                          **how)
    if done.returncode != 0:
        raise Trouble(f"failed with {done.returncode}: {command[0]}")
    return done.stdout


def run_tests():
    run("cmake", "--preset", "coverage", "-B", tree)
    run("cmake", "--build", tree)
    shutil.rmtree(profiles, ignore_errors=True)
    # Some programs give up being root, and write here nonetheless.
    os.umask(0)
    profiles.mkdir()
    # %4m: up to four files for each program, which all its processes share.
    run("ctest", "--test-dir", tree, "--output-on-failure", "--no-tests=error",
        "--parallel", os.cpu_count(), "--exclude-regex", EXCEPT,
        env={**os.environ, "LLVM_PROFILE_FILE": f"{profiles}/%4m.profraw"})


def programs():
    """Those that were built, of any kind."""
    for path in sorted(tree.rglob("*")):
        if (path.is_file() and os.access(path, os.X_OK)
                and path.suffix in ("", ".so")
                and path.read_bytes()[:4] == b"\x7fELF"):
            yield path


def measured():
    """By file: the lines and the branches of src/core, as {place: count}."""
    data = tree / "all.profdata"
    run("llvm-profdata", "merge", "-sparse", "-o", data,
        *sorted(profiles.glob("*.profraw")))
    first, *others = [path for path in programs()
                      if "CMakeFiles" not in path.parts]
    objects = [f"-object={path}" for path in others]
    told = run("llvm-cov", "export", "-format=lcov", f"-instr-profile={data}",
               first, *objects, root / "src/core", stdout=subprocess.PIPE,
               encoding="utf-8")
    files = {}
    for line in told.splitlines():
        kind, _, rest = line.partition(":")
        if kind == "SF":
            path = pathlib.Path(rest)
            lines, branches = files.setdefault(path, ({}, {}))
        elif kind == "DA":
            number, count = rest.split(",")[:2]
            lines[int(number)] = lines.get(int(number), 0) + int(count)
        elif kind == "BRDA":
            number, block, way, count = rest.split(",")
            place = (int(number), int(block), int(way))
            branches[place] = (branches.get(place, 0)
                               + (0 if count == "-" else int(count)))
    if not files:
        raise Trouble("nothing of src/core in what the tests left")
    return files


def checks_of(text):
    """The lines of a source that belong to a TLR_CHECK()."""
    inside = set()
    for found in re.finditer(r"\bTLR_CHECK\((?:[^;])*;", text):
        begin = text.count("\n", 0, found.start()) + 1
        inside.update(range(begin, begin + found.group().count("\n") + 1))
    return inside


def without_checks(path, branches):
    """One way of each condition in them may stay untaken."""
    inside = checks_of(path.read_text())
    kept = dict(branches)
    for place, count in branches.items():
        line, block, way = place
        other = (line, block, way ^ 1)
        if (line in inside and count == 0 and branches.get(other, 0) > 0):
            del kept[place]
    return kept


def share(part, whole):
    return 100 * part / whole if whole else 100


def report(files):
    total = [0, 0, 0, 0]
    missing = []
    print(f"{'src/core':20}{'lines':>8}{'%':>8}{'branches':>10}{'%':>8}")
    for path, (lines, branches) in sorted(files.items()):
        branches = without_checks(path, branches)
        name = path.relative_to(root)
        figures = (sum(count > 0 for count in lines.values()), len(lines),
                   sum(count > 0 for count in branches.values()), len(branches))
        total = [a + b for a, b in zip(total, figures)]
        row(path.name, figures)
        missing += [f"{name}:{line}: line"
                    for line, count in sorted(lines.items()) if count == 0]
        missing += [f"{name}:{line}: branch {block}, never "
                    f"{'false' if way % 2 else 'true'}"
                    for (line, block, way), count in sorted(branches.items())
                    if count == 0 and lines.get(line, 0) > 0]
    row("all", total)
    (tree / "missing.txt").write_text("".join(f"{it}\n" for it in missing))
    print(f"what is missing: {tree / 'missing.txt'}, {len(missing)} lines")
    return (share(*total[:2]) >= LINES) and (share(*total[2:]) >= BRANCHES)


def row(name, figures):
    print(f"{name:20}{figures[1]:8}{share(*figures[:2]):8.1f}"
          f"{figures[3]:10}{share(*figures[2:]):8.1f}")


def main():
    try:
        if sys.argv[1:] != ["--no-run"]:
            run_tests()
        holds = report(measured())
    except (Trouble, OSError) as trouble:
        print(f"coverage: {trouble}", file=sys.stderr)
        return 2
    if not holds:
        print(f"coverage: under {LINES} % of lines or {BRANCHES} % of branches")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
