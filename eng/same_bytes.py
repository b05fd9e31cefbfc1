#!/usr/bin/env python3
"""Writes NuGet packages anew, so that the same contents are the same bytes: same_bytes.py EPOCH PACKAGE...

NuGet gives each package a part with a random name, and the time of the day to every entry.
"""
import re
import sys
import time
import zipfile


def main():
    epoch, packages = int(sys.argv[1]), sys.argv[2:]
    date = time.gmtime(max(epoch, 315532800))[:6]  # A zip file knows no time before 1980.
    for package in packages:
        with zipfile.ZipFile(package) as archive:
            entries = {info.filename: archive.read(info) for info in archive.infolist()}
        renamed = {}
        for name, content in entries.items():
            if name == "_rels/.rels":
                content = re.sub(rb"/[0-9a-f]{32}\.psmdcp", b"/core.psmdcp", content)
                content = numbered(content)
            renamed[re.sub(r"[0-9a-f]{32}\.psmdcp$", "core.psmdcp", name)] = content
        with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in sorted(renamed):
                info = zipfile.ZipInfo(name, date)
                info.compress_type = zipfile.ZIP_DEFLATED
                info.external_attr = 0o644 << 16
                archive.writestr(info, renamed[name])


def numbered(relationships):
    """The ids of relationships are random too; nothing refers to them."""
    count = iter(range(1, 1000))
    return re.sub(rb'Id="R[0-9A-F]+"', lambda _: b'Id="R%d"' % next(count), relationships)


if __name__ == "__main__":
    main()
