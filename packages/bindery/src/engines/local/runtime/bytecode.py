"""Gives an environment its bytecode: taken from the shared store where it is there, else compiled once and put there.

Run by the environment's own interpreter, `python -I -S -B bytecode.py ORDER`: {"site": site-packages, "store": folder or null,
"keys": {normalised name: store key}}. Bytecode is of the unchecked-hash kind (PEP 552): the same bytes for the same source at the same
path, and never compared with the source's time. A package without a key is compiled for this environment alone. Folders named
`tests` are left out: Python compiles what is imported from them when it is.
"""

import csv
import json
import os
import py_compile
import re
import shutil
import sys
from concurrent.futures import ProcessPoolExecutor

MODE = py_compile.PycInvalidationMode.UNCHECKED_HASH
TESTS = re.compile(r"(^|/)tests?/")


def main():
    with open(sys.argv[1], "rb") as file:
        order = json.load(file)
    site, store, keys = order["site"], order["store"], order["keys"]
    missing = []
    for name, sources in packages(site):
        key = keys.get(name)
        folder = store and key and os.path.join(store, key)
        if folder and os.path.isdir(folder):
            link_all(folder, site)
        else:
            missing.append((folder, sources))
    everything = [source for _, sources in missing for source in sources]
    compile_all(site, everything)
    for folder, sources in missing:
        if folder:
            keep(folder, site, sources)


def packages(site):
    """(normalised name, [source paths relative to site]) of every installed package."""
    for entry in sorted(os.listdir(site)):
        if not entry.endswith(".dist-info"):
            continue
        name = re.sub(r"[-_.]+", "-", entry[: -len(".dist-info")].rsplit("-", 1)[0]).lower()
        try:
            with open(os.path.join(site, entry, "RECORD"), newline="", encoding="utf-8") as file:
                paths = [row[0] for row in csv.reader(file) if row]
        except (OSError, UnicodeDecodeError):
            continue
        yield name, [path for path in paths if path.endswith(".py") and not path.startswith(("/", "..")) and not TESTS.search(path)]


def cached(source):
    folder, name = os.path.split(source)
    return os.path.join(folder, "__pycache__", f"{name[:-3]}.{sys.implementation.cache_tag}.pyc")


def compile_all(site, sources):
    if not sources:
        return
    size = max(1, len(sources) // 64)
    chunks = [sources[start : start + size] for start in range(0, len(sources), size)]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(compile_chunk, [site] * len(chunks), chunks):
            pass


def compile_chunk(site, sources):
    sys.stderr = open(os.devnull, "w")  # warnings about other people's source
    for source in sources:
        path = os.path.join(site, source)
        target = os.path.join(site, cached(source))
        try:
            if not os.path.exists(target):
                py_compile.compile(path, target, doraise=True, invalidation_mode=MODE)
        except (py_compile.PyCompileError, OSError, ValueError, RecursionError):
            continue  # templates and the like: Python says so when somebody imports them


def link_all(folder, site):
    for root, _, names in os.walk(folder):
        target = os.path.join(site, os.path.relpath(root, folder))
        if names:
            os.makedirs(target, exist_ok=True)
        for name in names:
            link(os.path.join(root, name), os.path.join(target, name))


def keep(folder, site, sources):
    part = f"{folder}.part-{os.getpid()}"
    for source in sources:
        path = cached(source)
        if os.path.exists(os.path.join(site, path)):
            os.makedirs(os.path.dirname(os.path.join(part, path)), exist_ok=True)
            link(os.path.join(site, path), os.path.join(part, path))
    os.makedirs(part, exist_ok=True)
    try:
        os.rename(part, folder)
    except OSError:
        shutil.rmtree(part, ignore_errors=True)  # another build was first


def link(source, target):
    try:
        os.link(source, target)
    except FileExistsError:
        pass
    except OSError:
        shutil.copyfile(source, target)


if __name__ == "__main__":
    main()
