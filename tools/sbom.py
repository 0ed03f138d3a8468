#!/usr/bin/env python3
"""usage: tools/sbom.py PROGRAM > ppm-server.cdx.json     "make sbom"

The software bill of materials of a built program, as CycloneDX 1.5: the program, and every library
that the loader maps with it, grouped by the package that it comes from. Package, version and source are
dpkg's; without dpkg a library is its own component. The same program on the same system gives the same
bytes.
"""
import hashlib
import json
import os
import re
import subprocess
import sys
import uuid

# Of the libraries themselves; a Debian package's copyright file lists what else its sources hold.
LICENCES = {
    "ld-linux": "LGPL-2.1-or-later", "libc": "LGPL-2.1-or-later", "libm": "LGPL-2.1-or-later",
    "libexif": "LGPL-2.1-or-later", "libffi": "MIT", "libgcc_s": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "libgmp": "LGPL-3.0-or-later OR GPL-2.0-or-later", "libgnutls": "LGPL-2.1-or-later",
    "libgomp": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "libhogweed": "LGPL-3.0-or-later OR GPL-2.0-or-later",
    "libidn2": "LGPL-3.0-or-later OR GPL-2.0-or-later", "libjansson": "MIT",
    "libjpeg": "IJG AND BSD-3-Clause AND Zlib",
    "libmicrohttpd": "LGPL-2.1-or-later", "libnettle": "LGPL-3.0-or-later OR GPL-2.0-or-later",
    "libp11-kit": "BSD-3-Clause", "libpng16": "libpng-2.0", "libsleef": "BSL-1.0",
    "libstdc++": "GPL-3.0-or-later WITH GCC-exception-3.1", "libtasn1": "LGPL-2.1-or-later",
    "libunistring": "LGPL-3.0-or-later OR GPL-2.0-or-later", "libz": "Zlib",
}


def run(*command):
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                            check=False)
    return result.stdout if result.returncode == 0 else ""


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def libraries_of(program):
    """-> {name it is asked for by: file}, of all that the loader maps"""
    text = run("ldd", program)
    if "not found" in text or "=>" not in text:
        raise SystemExit(f"{program}: not all of its libraries are here, or it has none:\n{text}")
    found = dict(re.findall(r"(?m)^\s*(\S+) => (/\S+)", text))
    found.update((os.path.basename(path), path)
                 for path in re.findall(r"(?m)^\s*(/\S+) \(0x", text))
    return {name: os.path.realpath(path) for name, path in found.items()}


def needed_by(path):
    return re.findall(r"\(NEEDED\).*\[(.*)\]", run("readelf", "--dynamic", "--wide", path))


def package_of(path):
    """-> dpkg's fields of the package that has this file; None"""
    for name in (path, re.sub(r"^/usr", "", path)):
        owner = run("dpkg-query", "--search", name).partition(": ")[0].split(",")[0]
        if owner:
            fields = ("Package", "Version", "Architecture", "source:Package", "source:Version")
            values = run("dpkg-query", "--show", "--showformat",
                         "\t".join(f"${{{field}}}" for field in fields), owner).split("\t")
            return dict(zip(fields, values))
    return None


def distribution():
    """-> ("debian", "debian-12")"""
    try:
        with open("/etc/os-release", encoding="utf-8") as file:
            fields = dict(line.strip().partition("=")[::2] for line in file if "=" in line)
    except OSError:
        fields = {}
    name = fields.get("ID", "linux").strip('"')
    return name, f"{name}-{fields.get('VERSION_ID', '').strip(chr(34))}".rstrip("-")


def stem(name):
    """libgnutls of libgnutls.so.30, ld-linux of ld-linux-x86-64.so.2"""
    return "ld-linux" if name.startswith("ld-linux") else name.partition(".so")[0]


def licenses_of(names):
    found = sorted({LICENCES[stem(name)] for name in names if stem(name) in LICENCES})
    if len(found) == 1:
        return [{"expression": found[0]}]
    return [{"license": {"name": name}} for name in found or ["not known to tools/sbom.py"]]


def purl_of(package):
    system, release = distribution()
    version = package["Version"].replace(":", "%3A").replace("+", "%2B")
    name = package["Package"].replace("+", "%2B")
    return f"pkg:deb/{system}/{name}@{version}?arch={package['Architecture']}&distro={release}"


def file_component(name, path):
    return {"type": "file", "name": path, "hashes": [{"alg": "SHA-256", "content": sha256(path)}],
            "properties": [{"name": "elf:soname", "value": name}]}


def component_of(package, files):
    """files: {soname: path}, all of one package, or one alone of none"""
    first = min(files)
    component = {"type": "library", "bom-ref": first, "name": first,
                 "version": re.sub(r".*\.so\.?", "", os.path.basename(files[first])),
                 "licenses": licenses_of(files),
                 "components": [file_component(*item) for item in sorted(files.items())]}
    if package:
        purl = purl_of(package)
        component.update({"bom-ref": purl, "name": package["Package"], "version": package["Version"],
                          "purl": purl})
        component["properties"] = [
            {"name": "dpkg:source", "value": package["source:Package"]},
            {"name": "dpkg:source-version", "value": package["source:Version"]},
            {"name": "dpkg:copyright", "value": f"/usr/share/doc/{package['Package']}/copyright"}]
    return component


def bill_of(program):
    version = run(program, "--version").split()[-1]
    libraries = libraries_of(program)
    groups = {}
    for name, path in libraries.items():
        package = package_of(path)
        key = (package["Package"], package["Architecture"]) if package else (name, "")
        groups.setdefault(key, (package, {}))[1][name] = path
    components = [component_of(*groups[key]) for key in sorted(groups)]
    owner = {file["properties"][0]["value"]: component["bom-ref"]
             for component in components for file in component["components"]}
    own = {"type": "application", "bom-ref": "ppm-server", "name": "ppm-server", "version": version,
           "licenses": [{"license": {"id": "MIT"}}], "purl": f"pkg:generic/ppm-server@{version}",
           "hashes": [{"alg": "SHA-256", "content": sha256(program)}]}
    asked = {"ppm-server": needed_by(program)}
    for name, path in libraries.items():
        asked.setdefault(owner[name], []).extend(needed_by(path))
    dependencies = [{"ref": ref, "dependsOn": sorted({owner[name] for name in names} - {ref})}
                    for ref, names in sorted(asked.items())]
    return {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
            "metadata": {"component": own}, "components": components, "dependencies": dependencies}


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    bill = bill_of(sys.argv[1])
    bill["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(bill))}"
    json.dump(bill, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
