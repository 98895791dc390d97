#!/bin/sh
# Stands in for a program in this crate's unit tests: they link to it from a directory with the `script` it shall run.
# (A test that wrote a program of its own could not reliably run it: a process forked meanwhile by another test still
# has the file open for writing, and then the kernel refuses to execute it.)
. "${0%/*}/script"
