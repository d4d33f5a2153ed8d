"""The admin API: routes, authentication and errors over operations.py. Nothing here decides anything."""
