# shellcheck shell=bash disable=SC2034,SC2154
# The doorbell: says when something happens here, and reports when it is asked to, until the caller hangs up. Who holds it
# open is the holder.

umask 077
receive
read_fields
need find stat flock tail grep readlink
open_workspace
[[ -d _ && -f _/bell ]] || refuse 'there is no workspace yet'
[[ ${FIELD[ledger]-} =~ ^[0-9a-f]{8}$ && ${FIELD[seconds]-} =~ ^[1-9][0-9]{0,5}$ ]] || malformed 'ledger or seconds'

# A channel of our own that nobody ended is replaced; another ledger's is respected unless told to take over.
take_holder() {
  local ledger pid start line=''
  local -a stat=()
  { exec 8<>_/holder; } 2>/dev/null || refuse "cannot open $ROOT/_/holder for writing"
  flock -w 1 8 && return
  read -r ledger pid start <_/holder
  if [[ $ledger != "${FIELD[ledger]}" && ${FIELD[take_over]-} != 1 ]]; then
    frame holder "$ledger"
    frame lease "$ledger"
    finish 3
  fi
  [[ $pid =~ ^[0-9]+$ ]] && { IFS= read -r -d '' line <"/proc/$pid/stat"; } 2>/dev/null
  read -r -a stat <<<"${line##*) }"
  [[ -n $start && ${stat[19]-} == "$start" ]] && kill -s TERM -- "$pid"
  flock -w 3 8 || refuse 'the older channel does not end'
}

# Says which process reads the bell; then `- …` for what rings there, from an offset on, `? …` for what the caller asks, and
# `!` when either has ended. Whole lines each: nothing that is written into the bell can pass for a question.
listen() {
  local line tail
  exec 8>&- 2>/dev/null
  exec 5< <(exec tail -c "+$1" -F _/bell 3<&-)
  tail=$!
  printf '%s\n' "$tail"
  {
    while IFS= read -r -n 200 line; do printf -- '- %s\n' "$line"; done
    printf '!\n'
  } <&5 3<&- &
  exec 5<&-
  while IFS= read -r -n 200 line; do printf '? %s\n' "$line"; done <&3
  kill "$tail"
  printf '!\n'
}

# The frames of `observe` with other names, from a process of its own, which may fail; then the number that was asked with.
look() {
  [[ $1 =~ ^[0-9]{1,9}$ ]] || return 0
  (
    frame() { printf '%s frame look/%s %d\n%s\n' "$NONCE" "$1" "${#2}" "$2"; }
    finish() { exit "$1"; }
    exec 4<&- 8>&-
    cd / && open_workspace && report
  )
  frame looked "$1 $?"
}

hang_up() {
  kill "$listener" "$tail" 2>/dev/null
  : >_/holder
  finish 0
}

take_holder
IFS= read -r -d '' line </proc/self/stat
read -r -a stat <<<"${line##*) }"
printf '%s %s %s\n' "${FIELD[ledger]}" "$$" "${stat[19]}" >_/holder
size=$(stat -c %s _/bell)
# Nobody reads what rang before: whoever opens the channel looks at the host anyway.
((size > 65536)) && : >_/bell && size=0
exec 4< <(listen $((size + 1)))
listener=$!
exec 3<&-
IFS= read -r -u 4 tail
trap hang_up TERM
frame ready ''
SECONDS=0
while ((SECONDS < FIELD[seconds])); do
  left=$((FIELD[seconds] - SECONDS))
  IFS= read -r -t $((left < 20 ? left : 20)) -u 4 line
  case $? in
    0)
      case $line in
        '- '*) frame bell "${line#- }" ;;
        '? '*) look "${line#? }" ;;
        *) break ;;
      esac
      ;;
    1) break ;;
    *) frame bell '' ;;
  esac
done
hang_up
