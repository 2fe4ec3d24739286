"""What ingest does to every single run, in C: records become columns, in the order that is asked for."""
