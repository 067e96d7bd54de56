"""Tables of artists and albums, and tables whose names need quotes."""

TABLES = """
    CREATE TABLE artist (artist_id INTEGER PRIMARY KEY, name TEXT);
    INSERT INTO artist VALUES (1, 'AC/DC'), (2, 'Accept'), (3, NULL);
    CREATE TABLE album (album_id INTEGER PRIMARY KEY, title TEXT, artist_id INTEGER);
    INSERT INTO album VALUES (1, 'Powerage', 1), (2, 'Breaker', 2), (3, 'Accept', 2);
    CREATE TABLE "odd ""table" ("odd ""key" TEXT, "select" TEXT);
    CREATE TABLE "100%s ?" ("%" TEXT, "%%" TEXT);
    INSERT INTO "100%s ?" VALUES ('key', 'value');
    INSERT INTO "odd ""table" VALUES ('a''; DROP TABLE artist; --', 'quoted'), ('ü', 'umlaut');
"""
