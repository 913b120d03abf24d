#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""schema.py BUILD: what teller-load of that build tree prints as JSON is what
src/load/result.schema.json says, in several modes and with errors; and an object
that is spoiled, in each of its places, is refused. Needs python3-jsonschema."""
import copy
import json
import pathlib
import re
import socket
import subprocess
import sys

import jsonschema

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCHEMA = ROOT / "src/load/result.schema.json"
RUNS = {
    "echo": ["--round-trips", "20"],
    "echo, sizes and depth": ["--round-trips", "20", "--size", "1..4k", "--depth", "4"],
    "sessions": ["--round-trips", "20", "--session", "5"],
    "a table of sizes": ["--round-trips", "20", "--size", "64=9,1k..4k=1", "--no-nodelay"],
    "open loop": ["--rate", "500", "--duration", "1.2"],
    "thinking": ["--round-trips", "5", "--think", "0.01"],
    "stream": ["--mode", "stream", "--duration", "0.3"],
    "connect": ["--mode", "connect", "--duration", "0.3"],
    "idle": ["--mode", "idle", "--duration", "0.3"],
    "half-close": ["--mode", "half-close", "--duration", "0.3"],
    "slow": ["--mode", "slow", "--read-rate", "64k", "--duration", "0.3"],
    "hello": ["--mode", "hello", "--duration", "1", "--timeout", "0.2"],
    "repeat": ["--round-trips", "20", "--repeat", "3"],
    "warm-up": ["--warmup", "0.1", "--ramp", "0.1", "--duration", "0.2", "--threads", "2"],
}


def load(build, address, *options):
    """Runs it, and returns its status and its object."""
    done = subprocess.run(
        [build / "src/load/teller-load", address, "--json", "--quiet", "--connections", "4",
         *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=60,
        check=False)
    if done.stdout.count("\n") != 1:
        sys.exit(f"{options}: not one line: {done.stdout!r}")
    return done.returncode, json.loads(done.stdout)


def start_echo(build):
    echo = subprocess.Popen(
        [build / "src/echo/teller-echo", "--listen", "127.0.0.1:0", "--loops", "1"],
        stdout=subprocess.PIPE, text=True)
    for line in echo.stdout:
        found = re.search(r"127\.0\.0\.1:[1-9][0-9]*", line)
        if found:
            return echo, found.group()
    sys.exit("teller-echo does not listen")


def nobodys_address():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


def places(value, path=()):
    """The paths to all that is in it, itself first. Of a list only the first."""
    yield path
    if isinstance(value, dict):
        for name, member in value.items():
            yield from places(member, path + (name,))
    elif isinstance(value, list) and value:
        yield from places(value[0], path + (0,))


def spoiled(value, path):
    """Copies that are wrong at that place, each with what was done to it."""
    for what in ("left out", "of another type", "below 0", "with one more name"):
        copied = copy.deepcopy(value)
        parent, at = copied, copied
        for name in path:
            parent, at = at, at[name]
        if what == "with one more name" and isinstance(at, dict):
            at["surprise"] = 1
        elif not path:
            continue
        elif what == "left out" and isinstance(parent, dict):
            del parent[path[-1]]
        elif what == "of another type":
            parent[path[-1]] = None
        elif what == "below 0" and type(at) in (int, float):
            parent[path[-1]] = -1
        else:
            continue
        yield what, copied


def refuses_all_faults(validator, value):
    count = 0
    for path in places(value):
        for what, bad in spoiled(value, path):
            count += 1
            if validator.is_valid(bad):
                sys.exit(f"accepted: {'.'.join(map(str, path))} {what}")
    return count


def undescribed(schema, path=""):
    """Names that lack a description."""
    for name, row in schema.get("properties", {}).items():
        if not row.get("description"):
            yield f"{path}.{name}"
    for name, row in schema.get("$defs", {}).items():
        yield from undescribed(row, name)


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    lacking = list(undescribed(schema))
    if lacking:
        sys.exit(f"without a description: {lacking}")
    results = {}
    echo, address = start_echo(build)
    try:
        for name, options in RUNS.items():
            results[name] = load(build, address, *options)
    finally:
        echo.terminate()
        echo.wait()
    results["refused"] = load(build, nobodys_address(), "--round-trips", "1")
    results["aborted"] = load(
        build, nobodys_address(), "--round-trips", "1", "--abort-on-error")
    for name, (status, value) in results.items():
        if (status == 0) != (name not in ("hello", "refused", "aborted")):
            sys.exit(f"{name}: status {status}")
        for error in validator.iter_errors(value):
            sys.exit(f"{name}: {error.json_path}: {error.message}")
        print(f"{name}: as the schema says; status {status}")
    if len(results["repeat"][1]["runs"]) != 3:
        sys.exit("--repeat 3 has not made 3 runs")
    if not any(value["intervals"] for _, value in results.values()):
        sys.exit("no run has intervals: nothing to spoil in them")
    count = refuses_all_faults(validator, results["repeat"][1])
    count += refuses_all_faults(validator, results["open loop"][1])
    print(f"{count} spoiled objects were refused")


main()
