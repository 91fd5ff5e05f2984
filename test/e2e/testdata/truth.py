# What npm, Python and Maven have installed in the tree at /: lines of type,
# name, version and location. Symbolic links are not followed: what they lead to
# is listed where it lies. A file with several names (hard links) is one file, at
# the first of them.
import importlib.metadata
import io
import json
import os
import re
import zipfile


def say(kind, name, version, where):
    print(kind, name, version, os.path.relpath(where, "/"), sep="\t")


manifests = {}  # of npm, by inode


def npm(path):
    if "/node_modules/" not in path and not path.startswith("/usr/share/nodejs/"):
        return  # a project's own manifest is no installation
    manifests.setdefault(os.stat(path).st_ino, []).append(path)


def read_npm(path):
    try:
        with open(path, encoding="utf-8-sig") as f:
            manifest = json.load(f)
    except ValueError:
        return
    name, version = manifest.get("name"), manifest.get("version")
    if isinstance(name, str) and isinstance(version, str) and name and version:
        say("npm", name, version, path)


def python(folder):
    for d in importlib.metadata.distributions(path=[folder]):
        path = str(d._path)
        for record in (path + "/METADATA", path + "/PKG-INFO", path):
            if os.path.isfile(record):
                break
        if os.path.islink(path) or os.path.islink(record) or not d.metadata["Name"]:
            continue
        say("pypi", re.sub(r"[-_.]+", "-", d.metadata["Name"]).lower(), d.version, record)


def properties(text):
    return dict(line.split("=", 1) for line in text.replace("\r", "").split("\n") if "=" in line and not line.startswith("#"))


# An archive that names no coordinates of Maven is known by its file name, where
# that has a version; then there is no group.
VERSIONED = re.compile(r"([^/]+?)-([0-9][^/]*)\.jar")


def java(path, content, found):
    with zipfile.ZipFile(content) as archive:
        if not any(name.endswith("/pom.properties") for name in archive.namelist()):
            if named := VERSIONED.fullmatch(os.path.basename(path)):
                found.add(named.groups())
        for name in archive.namelist():
            if name.endswith("/pom.properties"):
                p = properties(archive.read(name).decode())
                found.add((p["groupId"].strip() + ":" + p["artifactId"].strip(), p["version"].strip()))
            elif name.endswith(".jar"):
                java(name, io.BytesIO(archive.read(name)), found)


for folder, dirs, files in os.walk("/"):
    if folder == "/":
        dirs.remove("proc")
    if any(n.endswith((".dist-info", ".egg-info")) for n in dirs + files):
        python(folder)
    for name in files:
        path = os.path.join(folder, name)
        if os.path.islink(path):
            continue
        if name == "package.json":
            npm(path)
        elif name.endswith((".jar", ".war")):
            found = set()
            java(path, path, found)
            for artifact, version in found:
                say("maven", artifact, version, path)

for paths in manifests.values():
    read_npm(min(paths, key=lambda path: path.split("/")))
