"""Mounts eu:/service at /service in us, and ends once both proxies of us use it."""
import sys

from demo import mount

sys.exit(0 if mount("us", "eu:/service", "/service", "create") else 1)
