#!/usr/bin/env python3
"""Prints what the product is made of, as CycloneDX 1.5: bill_of_materials.py VERSION EPOCH PROJECT.ASSETS.JSON

The source is NuGet's own record of what it restored.
"""
import base64
import datetime
import json
import sys


def main():
    version, epoch, assets_file = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    with open(assets_file, encoding="utf-8") as file:
        assets = json.load(file)
    components = []
    for key, library in sorted(assets["libraries"].items()):
        name, its_version = key.split("/")
        if library["type"] != "package" or name == "MinVer":
            continue
        components.append({
            "type": "library", "name": name, "version": its_version, "purl": "pkg:nuget/%s@%s" % (name, its_version),
            "hashes": [{"alg": "SHA-512", "content": base64.b64decode(library["sha512"]).hex()}],
        })
    print(json.dumps({
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": {
            "timestamp": datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {"type": "application", "name": "zoonet", "version": version, "licenses": [{"license": {"id": "Apache-2.0"}}]},
        },
        "components": components,
    }, indent=2))


if __name__ == "__main__":
    main()
