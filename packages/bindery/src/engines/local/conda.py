"""Solves and installs conda environments with py-rattler. Reads its order from the file named first, writes one line of JSON.

No code of a package runs here: link scripts are left out, and files are unpacked and linked only.
"""

import asyncio
import datetime
import json
import os
import sys
import tempfile

from rattler import Channel, MatchSpec, PackageRecord, RepoDataRecord, VirtualPackage, install, solve
from rattler.exceptions import GatewayError, InvalidChannelError, InvalidMatchSpecError, SolverError


class Failure(Exception):
    def __init__(self, kind, message, subject=""):
        super().__init__(message)
        self.answer = {"kind": kind, "message": message, "subject": subject}


def parsed(spec):
    try:
        return MatchSpec(spec)
    except InvalidMatchSpecError as error:
        raise Failure("spec", str(error), spec) from error


async def solved(order):
    specs = [parsed(spec) for spec in order["specs"]]
    try:
        channels = [Channel(address) for address in order["channels"]]
    except InvalidChannelError as error:
        raise Failure("channel", str(error)) from error
    before = order.get("before")
    try:
        records = await solve(
            channels,
            specs,
            platforms=[order["platform"], "noarch"],
            virtual_packages=VirtualPackage.detect(),
            exclude_newer=datetime.datetime.fromisoformat(before.replace("Z", "+00:00")) if before else None,
        )
    except SolverError as error:
        raise Failure("unsatisfiable", str(error)) from error
    except GatewayError as error:
        raise Failure("channel", str(error)) from error
    return [
        {
            "name": record.name.normalized,
            "version": str(record.version),
            "url": record.url,
            "sha256": record.sha256.hex() if record.sha256 else "",
            "record": json.dumps(json.loads(record.to_json()), sort_keys=True),
        }
        for record in records
    ]


def record_of(package):
    content = json.loads(package["record"])
    # the library reads records from files only, and leaves out what vouches for the package
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(content, file)
        file.flush()
        record = PackageRecord.from_index_json(file.name)
    record.sha256 = bytes.fromhex(package["sha256"])
    return RepoDataRecord(record, content["fn"], package["url"], content["channel"])


async def installed(order):
    try:
        await install(
            [record_of(package) for package in order["packages"]],
            order["prefix"],
            cache_dir=order["cache"],
            execute_link_scripts=False,
            show_progress=False,
            alternative_target_prefix=order["mountedAt"],
        )
    except Exception as error:  # the library's own classes of errors are not told apart here
        raise Failure("install", str(error)) from error
    return []


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        order = json.load(file)
    task = {"solve": solved, "install": installed}[order["task"]]
    try:
        answer = {"packages": asyncio.run(task(order))}
    except Failure as failure:
        answer = {"error": failure.answer}
    print(json.dumps(answer))
    sys.stdout.flush()
    os._exit(0)  # the library's threads must not hold us up


main()
