#!/bin/sh
# What a proxy's cost depends on: idle and busy sessions, a storm of connects, mounts. Servers are embedded ones.
# Options: see --help.
set -e
cd "$(dirname "$0")/.."
dotnet build bench/ZooNet.Experiments -c Release -v quiet -nologo
exec dotnet exec bench/ZooNet.Experiments/bin/Release/net10.0/ZooNet.Experiments.dll scale "$@"
