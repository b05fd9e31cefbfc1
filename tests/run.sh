#!/bin/bash
# Builds ZooNet and runs all of its tests: tests/run.sh [ARGUMENTS OF dotnet test, e.g. --filter Name~Mount]
#
# On Debian, as root, it first installs what the tests need and what is missing, nothing else. Results go to
# artifacts/tests: a .trx and a log per test project, and summary.txt. The exit code is 0 only if everything
# was built and every test that ran passed.
#
#   ZOONET_ARTIFACTS      where results go, instead of artifacts/tests
#   ZOONET_TEST_SECONDS   how long one test project may take, by default 1500
set -u -o pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit 1
results=${ZOONET_ARTIFACTS:-$root/artifacts/tests}
limit=${ZOONET_TEST_SECONDS:-1500}

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_CLI_HOME=${DOTNET_CLI_HOME:-${HOME:-/tmp}}
# No compiler or MSBuild process may outlive the run.
export MSBUILDDISABLENODEREUSE=1 UseSharedCompilation=false
# A test with thousands of connections needs as many descriptors; the hard limit is what we may have.
ulimit -n "$(ulimit -H -n)"

say() { printf '\n== %s (%(%H:%M:%S)T)\n' "$*" -1; }

# Real ZooKeeper, the clients that are tested through the proxy, and the programs that measurements compare with.
# Each line: a file that shows that it is there, and the package that brings it.
packages() {
    cat <<'LIST'
/usr/share/java/zookeeper.jar libzookeeper-java
/usr/share/java/zookeeper-recipes-lock.jar libzookeeper-java
/usr/share/java/slf4j-simple.jar libslf4j-java
/usr/share/java/curator-recipes.jar libcurator-recipes-java
/usr/share/java/curator-framework.jar libcurator-framework-java
/usr/share/java/curator-client.jar libcurator-client-java
/usr/include/zookeeper/zookeeper.h libzookeeper-mt-dev
/usr/include/stdio.h libc6-dev
/usr/bin/python3 python3
/usr/lib/python3/dist-packages/kazoo/client.py python3-kazoo
/usr/lib/python3/dist-packages/pytest/__init__.py python3-pytest
/usr/lib/python3/dist-packages/objgraph.py python3-objgraph
LIST
    command -v javac >/dev/null || echo "- default-jdk-headless"
    command -v gcc >/dev/null || echo "- gcc"
    command -v node >/dev/null || echo "- nodejs"
    command -v npm >/dev/null || echo "- npm"
    command -v chromium >/dev/null || echo "- chromium"
    command -v prometheus >/dev/null || echo "- prometheus"
    command -v haproxy >/dev/null || echo "- haproxy"
    command -v spin >/dev/null || echo "- spin"
    command -v dockerd >/dev/null || echo "- docker.io"
    command -v docker-compose >/dev/null || echo "- docker-compose"
    command -v iptables >/dev/null || echo "- iptables"
    command -v ip >/dev/null || echo "- iproute2"
}

install_missing() {
    local missing
    missing=$(packages | while read -r file package; do [ -e "$file" ] || echo "$package"; done | sort -u | tr '\n' ' ')
    if [ -z "$missing" ]; then
        echo "nothing is missing"
        return 0
    fi
    echo "missing: $missing"
    if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
        echo "cannot install packages here (apt-get as root is needed); tests that need them are skipped or fail"
        return 0
    fi
    export DEBIAN_FRONTEND=noninteractive
    # RUNLEVEL=1 keeps a package from starting its service: the tests start what they need.
    apt-get update -qq </dev/null || return 1
    # shellcheck disable=SC2086
    RUNLEVEL=1 apt-get install -y -qq --no-install-recommends $missing </dev/null >"$results/apt.log" 2>&1 \
        || { tail -20 "$results/apt.log"; return 1; }
}

# The value of an attribute of the <Counters> element of a .trx file.
counter() { grep -o '<Counters [^>]*' "$1" | grep -o " $2=\"[0-9]*\"" | grep -o '[0-9]*' || echo 0; }

# "passed failed skipped" of a .trx file. xunit's skipped tests are counted in the total and nowhere else.
outcome() {
    local total executed passed
    total=$(counter "$1" total) executed=$(counter "$1" executed) passed=$(counter "$1" passed)
    echo "$passed $((executed - passed)) $((total - executed))"
}

failed_tests() { grep -o '<UnitTestResult [^>]*outcome="Failed"[^>]*' "$1" | grep -o 'testName="[^"]*"' | cut -d'"' -f2; }

rm -rf "$results"
mkdir -p "$results"
failures=0

say "Packages"
install_missing || { echo "the packages could not be installed"; failures=1; }

say "Build"
dotnet build ZooNet.sln -c Release -nodeReuse:false </dev/null 2>&1 | tee "$results/build.log" \
    || { echo "the build failed"; exit 1; }

# Several test classes install the same npm package: once is enough.
ZOONET_NODE_MODULES=$(mktemp -d)
export ZOONET_NODE_MODULES
trap 'kill $(jobs -p) 2>/dev/null; wait; rm -rf "$ZOONET_NODE_MODULES"' EXIT

# Runs one test project; its outcome and how long it took goes to NAME.summary.
run() {
    local project=$1 name seconds=$SECONDS code engine priority passed failed skipped
    shift
    name=$(basename "$project" .csproj)
    say "$name"
    # What runs containers gets an engine of its own. Where none can run, with_engine says why, and the tests are skipped.
    engine=()
    if [ "$name" = ZooNet.Testcontainers.Tests ] && eng/with_engine true </dev/null; then engine=(eng/with_engine); fi
    # What only computes gives way to what real servers and clients run beside it.
    case $name in
        ZooNet.Federation.Tests | ZooNet.Roaming.Tests | ZooNet.Simulation) priority=(nice -n 10) ;;
        *) priority=() ;;
    esac
    # timeout ends the whole process group, and with it what the tests have started.
    ${priority[@]+"${priority[@]}"} timeout --kill-after=20 "$limit" \
        ${engine[@]+"${engine[@]}"} dotnet test "$project" -c Release --no-build -nodeReuse:false --results-directory "$results" \
        --logger "trx;LogFileName=$name.trx" --logger "console;verbosity=normal" "$@" </dev/null 2>&1 \
        | tee "$results/$name.log"
    code=$?
    if [ "$code" -ge 124 ]; then echo "$name did not end within $limit s"; fi
    seconds=$((SECONDS - seconds))
    if [ -e "$results/$name.trx" ]; then
        read -r passed failed skipped < <(outcome "$results/$name.trx")
        printf '%-28s %5d passed %4d failed %4d skipped %6d s\n' "$name" "$passed" "$failed" "$skipped" "$seconds"
        failed_tests "$results/$name.trx" | sed 's/^/    failed: /'
    else
        # No test of the project matched the filter, or it ended before it could say anything.
        printf '%-28s no results, exit code %d\n' "$name" "$code"
    fi >"$results/$name.summary"
    return "$code"
}

# Real servers and clients are waited for most of the time, and what only computes gives way: these run beside the other projects.
waiting=(ZooNet.Integration)
computing=(ZooNet.Roaming.Tests ZooNet.Simulation)
arguments=("$@")
lane() {
    local name code=0
    for name in "$@"; do run "tests/$name/$name.csproj" ${arguments[@]+"${arguments[@]}"} || code=1; done
    return "$code"
}
lane "${waiting[@]}" >"$results/waiting.log" 2>&1 &
lanes=($!)
for project in tests/*/*.csproj; do
    name=$(basename "$project" .csproj)
    if [ "$name" = ZooNet.Proxy.Tests ]; then
        lane "${computing[@]}" >"$results/computing.log" 2>&1 &
        lanes+=($!)
    fi
    case " ${waiting[*]} ${computing[*]} " in
        *" $name "*) ;;
        *) lane "$name" || failures=1 ;;
    esac
done
for each in "${lanes[@]}"; do wait "$each" || failures=1; done
cat "$results/waiting.log" "$results/computing.log"
cat "$results"/*.summary >"$results/summary.txt"

say "Summary"
cat "$results/summary.txt"
exit $failures
