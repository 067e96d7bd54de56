"""A GraphQL server over the Chinook database: strawberry on its ASGI app, one statement per level.

python -m graphql_server [HOST:PORT]
"""
