"""After training: the store, serving, agents, the gate, drift."""
