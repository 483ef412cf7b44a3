# shellcheck shell=bash disable=SC2034,SC2154
# The doorbell: says when something happens here, until the caller hangs up. Who holds it open is the holder.

umask 077
receive
read_fields
need stat flock tail cat
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

# Lines of the bell from an offset on, and `!` when standard input has ended.
listen() {
  local tail reader
  exec 8>&- 2>/dev/null
  tail -c "+$1" -F _/bell &
  tail=$!
  cat <&3 >/dev/null &
  reader=$!
  trap 'kill "$tail" "$reader"; exit' TERM
  wait "$reader"
  kill "$tail"
  printf '!\n'
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
trap 'kill "$listener" 2>/dev/null; : >_/holder; finish 0' TERM
frame ready ''
SECONDS=0
while ((SECONDS < FIELD[seconds])); do
  left=$((FIELD[seconds] - SECONDS))
  IFS= read -r -t $((left < 20 ? left : 20)) -u 4 line
  case $? in
    0)
      [[ $line == '!' ]] && break
      frame bell "$line"
      ;;
    1) break ;;
    *) frame bell '' ;;
  esac
done
kill "$listener" 2>/dev/null
: >_/holder
finish 0
