"""Makes a conda channel in the folder named first, of the packages that stdin lists as JSON."""

import hashlib
import io
import json
import os
import sys
import tarfile


def write(folder, package):
    subdir = package.get("subdir", "noarch")
    noarch = package.get("noarch")
    files = package.get("files", {})
    index = {
        "name": package["name"],
        "version": package["version"],
        "build": "0",
        "build_number": 0,
        "depends": package.get("depends", []),
        "subdir": subdir,
        "timestamp": package.get("timestamp", 1500000000000),
        **({"noarch": noarch} if noarch else {}),
    }
    paths = [
        {
            "_path": path,
            "path_type": "hardlink",
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
            "size_in_bytes": len(text),
            **({"prefix_placeholder": "/placeholder", "file_mode": "text"} if "/placeholder" in text else {}),
        }
        for path, text in files.items()
    ]
    links = package.get("links", {})
    paths += [{"_path": path, "path_type": "softlink", "sha256": hashlib.sha256(b"").hexdigest(), "size_in_bytes": 0} for path in links]
    content = {
        "info/index.json": json.dumps(index),
        "info/paths.json": json.dumps({"paths": paths, "paths_version": 1}),
        "info/files": "".join(path + "\n" for path in [*files, *links]),
        **files,
    }
    if noarch:
        link = {"noarch": {"type": noarch, "entry_points": package.get("entryPoints", [])}, "package_metadata_version": 1}
        content["info/link.json"] = json.dumps(link)
    name = "%(name)s-%(version)s-0.tar.bz2" % package
    os.makedirs(os.path.join(folder, subdir), exist_ok=True)
    with tarfile.open(os.path.join(folder, subdir, name), "w:bz2") as out:
        for path, text in content.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(text.encode())
            entry.mode = 0o755 if path.startswith("bin/") else 0o644
            out.addfile(entry, io.BytesIO(text.encode()))
        for path, target in links.items():
            entry = tarfile.TarInfo(path)
            entry.type = tarfile.SYMTYPE
            entry.linkname = target
            out.addfile(entry)
    with open(os.path.join(folder, subdir, name), "rb") as file:
        data = file.read()
    return subdir, name, {**index, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


repodata = {}
for one in json.load(sys.stdin):
    subdir, name, record = write(sys.argv[1], one)
    repodata.setdefault(subdir, {})[name] = record
for subdir, packages in repodata.items():
    with open(os.path.join(sys.argv[1], subdir, "repodata.json"), "w") as file:
        json.dump({"info": {"subdir": subdir}, "packages": packages, "packages.conda": {}, "repodata_version": 1}, file)
