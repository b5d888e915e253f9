"""What is the same among SQL stores. A driver supplies a Dialect and a folder of migrations; SqlStore does the rest."""
