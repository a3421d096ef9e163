"""A real mongod of the program's own, for a machine without one: started on demand, shared, stopped when idle."""

from custimport.store.embedded.server import EmbeddedState, embedded_server, keep_running, state, stop

__all__ = ["EmbeddedState", "embedded_server", "keep_running", "state", "stop"]
