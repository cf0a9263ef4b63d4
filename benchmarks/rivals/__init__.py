"""Other tools, each in an environment of its own, and what they are compared by."""
