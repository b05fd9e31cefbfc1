#!/bin/sh
# A cluster: straight from its ensemble, mounted through a proxy beside a ZooKeeper observer and through a proxy that is an observer itself,
# and as the home of a proxy that passes everything through and of one that observes it, in one run. Needs ZooKeeper's jars (Debian package). Options: see --help. Example: bench/observer.sh --rounds 5 --out bench-results
set -e
cd "$(dirname "$0")/.."
dotnet build bench/ZooNet.Experiments -c Release -v quiet -nologo
exec dotnet exec bench/ZooNet.Experiments/bin/Release/net10.0/ZooNet.Experiments.dll observer "$@"
