"""How quickly the map of a store answers."""
