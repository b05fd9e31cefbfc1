#!/bin/sh
# Two regions with an emulated WAN between them: ZooNet against one stretched ensemble and against home alone. The whole table takes
# hours; choose cells with --rtts, --reads, --locals, --bursts, --variants. Needs ZooKeeper's jars, haproxy and taskset (util-linux).
# Example: bench/wan.sh --rtts 100 --reads 25 --locals 90 --bursts 50
set -e
cd "$(dirname "$0")/.."
dotnet build bench/ZooNet.Experiments -c Release -v quiet -nologo
exec dotnet exec bench/ZooNet.Experiments/bin/Release/net10.0/ZooNet.Experiments.dll wan "$@"
