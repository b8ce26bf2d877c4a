"""``make bench``: time a run of the default scenario for Leeds, first and again."""

from benchmarks.run import main

main()
