#!/bin/sh
# Compiles the Java clients against Debian's jars and runs them:
#   run.sh CONNECT_STRING BASE_PATH [PROGRAM [PART_OF_A_CHECK'S_NAME]]
# PROGRAM is CuratorRecipes, ZooKeeperRecipes or JavaClient; without it all three run. Prints PASS and FAIL lines;
# the exit code is 0 when nothing failed.
set -u
here=$(cd "$(dirname "$0")" && pwd)
if [ $# -lt 2 ]; then sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; fi
jars=/usr/share/java
classpath=$jars/curator-recipes.jar:$jars/curator-framework.jar:$jars/zookeeper.jar:$jars/slf4j-simple.jar
for recipe in lock election queue; do classpath=$classpath:$jars/zookeeper-recipes-$recipe.jar; done

classes=$(mktemp -d) || exit 2
trap 'rm -rf "$classes"' EXIT
# The jars' manifests name jars that are not installed and not needed: -Xlint:-path keeps javac quiet about them.
javac -nowarn -Xlint:-path -d "$classes" -cp "$classpath" "$here"/*.java || exit 2
failed=0
for program in ${3:-ZooKeeperRecipes CuratorRecipes JavaClient}; do
    echo "# $program"
    java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.defaultLogLevel=off \
        -cp "$classes:$classpath" "$program" "$1" "$2" "${4:-}" || failed=1
done
exit $failed
