#!/bin/sh
# Bytes that a request at home allocates in the proxy, by the runtime's own count. Needs ZooKeeper's jars.
# Options: see --help.
set -e
cd "$(dirname "$0")/.."
dotnet build bench/ZooNet.Experiments -c Release -v quiet -nologo
exec dotnet exec bench/ZooNet.Experiments/bin/Release/net10.0/ZooNet.Experiments.dll allocations "$@"
