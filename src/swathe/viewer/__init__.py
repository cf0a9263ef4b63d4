"""A map of a store: a read-only web server over its catalogue and scans, and the pages that show it."""
