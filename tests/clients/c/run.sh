#!/bin/sh
# Compiles the C client's checks against Debian's libzookeeper_mt and runs them:
#   run.sh CONNECT_STRING BASE_PATH [PART_OF_A_CHECK'S_NAME]
# Prints PASS and FAIL lines; the exit code is 0 when nothing failed. A client that hangs is killed.
set -u
here=$(cd "$(dirname "$0")" && pwd)
if [ $# -lt 2 ]; then sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 2; fi
folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT
gcc -std=gnu11 -O1 -Wall -Wextra -Werror -Wno-clobbered -Wno-format-truncation -DTHREADED -pthread \
    -o "$folder/zookeeper_client" "$here"/*.c -lzookeeper_mt || exit 2
timeout --kill-after=5 240 "$folder/zookeeper_client" "$@"
code=$?
case $code in
    0 | 1 | 2) exit $code ;;
    124 | 137) echo "FAIL the client did not end within 240 s" ;;
    *) echo "FAIL the client crashed: exit code $code" ;;
esac
exit 1
