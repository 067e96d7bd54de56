"""Serves the application."""

from __future__ import annotations

import argparse

import uvicorn

from .app import app, chinook


def main() -> None:
    parser = argparse.ArgumentParser(prog="fastapi_server", description=__doc__)
    parser.add_argument("address", nargs="?", default="127.0.0.1:8000", metavar="HOST:PORT")
    host, _, port = parser.parse_args().address.rpartition(":")
    if not port.isdecimal():
        parser.error(f"the address must be HOST:PORT, such as 127.0.0.1:8000, got port {port!r}")
    try:
        uvicorn.run(app, host=host or "127.0.0.1", port=int(port), log_level="warning")
    finally:
        chinook.close()


if __name__ == "__main__":
    main()
