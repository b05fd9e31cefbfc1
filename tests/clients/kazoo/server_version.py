#!/usr/bin/python3
"""Asks each of two addresses for the server's version with kazoo's server_version(), and prints both: server_version.py ONE OTHER"""
import sys

from kazoo.client import KazooClient

for hosts in sys.argv[1:3]:
    client = KazooClient(hosts)
    client.start()
    print('.'.join(map(str, client.server_version())))
    client.stop()
    client.close()
