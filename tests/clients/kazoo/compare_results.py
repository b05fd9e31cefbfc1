#!/usr/bin/python3
"""Compares two result files of run_kazoo_suite.py: compare_results.py DIRECT PROXIED

Prints every test whose outcome differs, or that only one of the two has. Exit code 0 when there is none
and something was compared, 1 when there is a difference, 2 when a file is empty.
"""
import sys


def read(path):
    with open(path) as f:
        pairs = (line.rstrip("\n").split("\t", 1) for line in f if line.strip())
        return {test: outcome for outcome, test in pairs}


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    direct, proxied = read(sys.argv[1]), read(sys.argv[2])
    if not direct or not proxied:
        print("nothing to compare: %d results and %d results" % (len(direct), len(proxied)))
        return 2
    differences = 0
    for test in sorted(direct.keys() | proxied.keys()):
        before, after = direct.get(test, "absent"), proxied.get(test, "absent")
        if before != after:
            differences += 1
            print("%s -> %s  %s" % (before, after, test))
    print("%d tests, %d differences" % (len(direct), differences))
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
