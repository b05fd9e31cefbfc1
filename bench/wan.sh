#!/bin/sh
# Two regions with an emulated WAN between them: ZooNet against one stretched ensemble and against home alone. The whole table takes
# an hour and a quarter; choose cells with --rtts, --reads, --locals, --bursts, --windows, --variants. Each region has a processor of its own
# (--processors 0,1); run this on a third one, which the emulated WAN then has to itself. Needs ZooKeeper's jars, haproxy and taskset (util-linux).
# Example: taskset -c 2 bench/wan.sh --rtts 100 --reads 25 --locals 90 --bursts 50
set -e
cd "$(dirname "$0")/.."
dotnet build bench/ZooNet.Experiments -c Release -v quiet -nologo
exec dotnet exec bench/ZooNet.Experiments/bin/Release/net10.0/ZooNet.Experiments.dll wan "$@"
