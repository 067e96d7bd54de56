"""A server with Django whose views, synchronous and asynchronous, batch what they load.

Create the database with `python -m django_server migrate --run-syncdb`, start the server with
`python -m django_server runserver`, and ask for `/artists?id=1&id=2`. `/admin/` adds artists.
"""
