#!/bin/sh
# Installs npm's node-zookeeper-client into a temporary folder and runs its checks there:
#   run.sh CONNECT_STRING BASE_PATH [PART_OF_A_CHECK'S_NAME]
# Prints PASS and FAIL lines; the exit code is 0 when nothing failed. npm is used as it is configured. A folder
# named by ZOONET_NODE_MODULES is used as it is, and filled when it is empty, so that several runs install once.
set -u
here=$(cd "$(dirname "$0")" && pwd)
if [ $# -lt 2 ]; then sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; fi
folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT
installed=${ZOONET_NODE_MODULES:-$folder}
if [ ! -d "$installed/node_modules/node-zookeeper-client" ]; then
    mkdir -p "$installed"
    cp "$here/package.json" "$installed/"
    (cd "$installed" && npm install --no-audit --no-fund --no-package-lock --no-progress --loglevel=error) >&2 \
        || { echo "FAIL npm could not install node-zookeeper-client"; exit 1; }
fi
NODE_PATH=$installed/node_modules timeout --kill-after=5 240 node "$here/client_checks.js" "$@"
code=$?
case $code in
    0 | 1 | 2) exit $code ;;
    124 | 137) echo "FAIL the client did not end within 240 s" ;;
    *) echo "FAIL the client crashed: exit code $code" ;;
esac
exit 1
