"""An HTTP server for the Chinook database, with FastAPI. Each function handles one row.

Start it with `python -m fastapi_server [HOST:PORT]`, and ask for `/artists?id=1&id=2`.
"""
