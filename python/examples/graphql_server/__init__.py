"""A GraphQL server for the Chinook database, with strawberry and one statement per level.

Start it with `python -m graphql_server [HOST:PORT]`.
"""
