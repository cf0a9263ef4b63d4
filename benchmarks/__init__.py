"""What Swathe costs, measured beside a ceiling and beside other ways; run by `make bench`."""
