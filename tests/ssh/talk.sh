# shellcheck shell=bash
# A verb for tests: its one field is run, and what it prints is the frame `out`.
IFS=' ' read -r NONCE length <&3
payload=$(head -c "$length" <&3)
printf '\n%s begin\n' "$NONCE"
out=$(eval "${payload#*$'\n'}")
printf '%s frame out %d\n%s\n' "$NONCE" "${#out}" "$out"
printf '%s end 0\n' "$NONCE"
