# shellcheck shell=bash
# A channel for tests: rings for every line of ~/bell, until its input or the file ends with `over`.
IFS=' ' read -r NONCE length <&3
head -c "$length" <&3 >/dev/null
printf '\n%s begin\n%s frame ready 0\n\n' "$NONCE" "$NONCE"
touch ~/bell
coproc TAIL { exec tail -n +1 -F ~/bell 2>/dev/null; }
{ cat <&3 >/dev/null; kill "$TAIL_PID"; } 2>/dev/null &
while IFS= read -r line <&"${TAIL[0]}"; do
  [[ $line == over ]] && break
  printf '%s frame bell %d\n%s\n' "$NONCE" "${#line}" "$line"
done
printf '%s end 0\n' "$NONCE"
kill "$TAIL_PID" $! 2>/dev/null
