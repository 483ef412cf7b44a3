# shellcheck shell=bash
# Looks at everything, changes nothing.

receive
exec 3<&-
read_fields
need find stat flock grep readlink
find_programs
open_workspace
report
finish 0
