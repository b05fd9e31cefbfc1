#!/bin/sh
# What freshness costs across a WAN: barriers and latencies of mounted reads, with an asymmetric mount, with mutual mounts and private
# writes, and with mutual mounts and 50 clients per region that make every read a new question. Needs ZooKeeper's jars (Debian package).
# Takes about two minutes. Options: see --help.
set -e
cd "$(dirname "$0")/.."
dotnet build bench/ZooNet.Experiments -c Release -v quiet -nologo
exec dotnet exec bench/ZooNet.Experiments/bin/Release/net10.0/ZooNet.Experiments.dll freshness "$@"
