#!/bin/sh
# All at home: ZooNet against HAProxy in TCP mode and against no proxy, in one run. Needs ZooKeeper's jars and haproxy (Debian packages).
# Options: see --help. Example: bench/haproxy.sh --rounds 5 --out bench-results
set -e
cd "$(dirname "$0")/.."
dotnet build bench/ZooNet.Experiments -c Release -v quiet -nologo
exec dotnet exec bench/ZooNet.Experiments/bin/Release/net10.0/ZooNet.Experiments.dll home "$@"
