# shellcheck shell=bash disable=SC2034,SC2154
# For calls that change something: who may (one fleet, one host name, one lease, one call at a time), and their tools.

login_umask=$(umask)
umask 077
declare -A HELD=() R=()

# Replaces the text of a mark in one step. What a call that was killed left of this is used again: calls come one by one.
swap() {
  ln -sfT -- "$2" "_/.$1" && mv -fT -- "_/.$1" "_/$1" && return
  rm -f -- "_/.$1"
  return 1
} 2>/dev/null

# Waits for the other calls; from here on this one is alone. Descriptor 8 holds the lock.
lock_workspace() {
  { exec 8<>_/lock; } 2>/dev/null || refuse "cannot open $ROOT/_/lock for writing: see its owner and its disk"
  flock -w 10 8 || refuse 'another call has been busy in this workspace for 10 seconds: try again'
}

read_marks() {
  local line
  HELD=()
  while IFS= read -r line; do
    HELD[${line%%=*}]=${line#*=}
  done < <(find _ -maxdepth 1 -type l -regex '_/[a-z]+' -printf '%f=%l\n')
}

# The fields that every change carries must be there, and fit into names.
check_caller() {
  [[ ${FIELD[fleet_id]-} =~ ^[A-Za-z0-9-]{8,64}$ && ${FIELD[fleet_name]-} =~ ^[a-z0-9-]{1,63}$ &&
    ${FIELD[host_name]-} =~ ^[a-z0-9-]{1,63}$ && ${FIELD[ledger]-} =~ ^[0-9a-f]{8}$ &&
    ${FIELD[number]-} =~ ^[1-9][0-9]{0,14}$ && ${FIELD[revision]-} =~ ^[A-Za-z0-9._-]{1,64}$ ]] ||
    refuse 'the call does not say who makes it: fleet_id, fleet_name, host_name, ledger, number, revision'
}

# Another fleet's workspace, or another host's, is left alone.
check_workspace() {
  local other=
  [[ -z ${HELD[fleet]-} || ${HELD[fleet]%%;*} == "${FIELD[fleet_id]}" ]] || other=fleet
  [[ -z ${HELD[name]-} || ${HELD[name]} == "${FIELD[host_name]}" || ${HELD[name]} == "${FIELD[rename_from]-}" ]] ||
    other=${other:-name}
  [[ -n $other ]] || return 0
  frame workspace "fleet=${HELD[fleet]-}
id=${HELD[id]-}
name=${HELD[name]-}
lease=${HELD[lease]-}"
  finish 4
}

refuse_lease() {
  frame lease "${HELD[lease]-}"
  finish 3
}

# For whatever changes something under a lease that was taken before.
require_lease() {
  check_caller
  open_workspace
  [[ -d _ ]] || refuse_lease
  lock_workspace
  read_marks
  check_workspace
  [[ ${HELD[lease]-} == "${FIELD[number]};${FIELD[ledger]}" ]] || refuse_lease
  # What was decided on a workspace that is gone must not find the next one, however late it comes.
  [[ ${HELD[id]-} == "${FIELD[workspace_id]-${HELD[id]-}}" ]] || refuse_lease
  note_revision
}

# Where no inode is free, what this call removes makes room: act.sh tries again at its end.
note_revision() {
  [[ ${HELD[revision]-} == "${FIELD[revision]}" ]] || ! swap revision "${FIELD[revision]}" ||
    HELD[revision]=${FIELD[revision]}
}

# Sets R to the records of a run directory; `?` for a text that cannot be one's, as in reports.
read_records() {
  local line
  R=()
  while IFS= read -r -d '' line; do
    R[${line%%=*}]=${line#*=}
    [[ ${line#*=} != *[!A-Za-z0-9=\;._-]* ]] || R[${line%%=*}]='?'
  done < <(find "$1" -mindepth 1 -maxdepth 1 -type l -regextype posix-extended \
    -regex '.*/(owner|worker|started|phase|cancel|result|stuck)' -printf '%f=%l\0')
}

# Takes the run's lock on descriptor 9; fails when somebody holds it. Those who only look hold it for a moment.
own_lock() {
  lock_state "$1"
  [[ $LOCK == free ]] || return 1
  if [[ -L $1/lock || (-e $1/lock && ! -f $1/lock) ]]; then mv -T -- "$1/lock" "$1/lock.aside.$RANDOM"; fi
  # Where no lock can be made there never was one, and launching waits for this call.
  { exec 9<>"$1/lock"; } 2>/dev/null || return 0
  flock -w 5 9 || { release_lock && return 1; }
}

release_lock() {
  { exec 9>&-; } 2>/dev/null
}

# Starts a program of the run's own, in a session of its own, with no descriptor but the lock.
# To be called with `&`: it replaces the process it runs in.
detach() {
  local descriptor
  for descriptor in /proc/self/fd/*; do
    descriptor=${descriptor##*/}
    ((descriptor == 9)) || exec {descriptor}>&-
  done
  exec </dev/null >/dev/null 2>/dev/null
  RECONCILER_SUPERVISOR=${DIRECTORY##*/} exec setsid "$BASH" --noprofile --norc -p "$@"
}

# Puts the run's mark into done/: STATE, REASON, rerun key, time, last.
mark_done() {
  local text
  text=";${R[result]-}"
  [[ ${R[started]-} == void && -z ${R[result]-} ]] && printf -v text ';state=void;t=%(%s)T' -1
  local mark='' part owner=";${R[owner]-}"
  if [[ ${2-} == @(blocked|failed) && ${3-} =~ ^[A-Za-z]{0,20}$ && $text =~ \;state=(succeeded|failed) ]]; then
    mark=";state=$2${3:+;r=$3}"
  else
    for part in state r; do
      [[ $text =~ \;$part=([^\;]*) ]] && mark+=";$part=${BASH_REMATCH[1]}"
    done
  fi
  [[ $owner =~ \;q=([^\;]*) ]] && mark+=";q=${BASH_REMATCH[1]}"
  for part in t last; do
    [[ $text =~ \;$part=([^\;]*) ]] && mark+=";$part=${BASH_REMATCH[1]}"
  done
  [[ -L _/done/$1 ]] || ln -sT -- "${mark#;}" "_/done/$1" 2>/dev/null
}

# Empties the trash. What takes longer than a second goes on behind the caller's back.
empty_trash() {
  local -a trash=(_/trash/*)
  local remover tick
  ((${#trash[@]})) || return 0
  # shellcheck disable=SC2016
  detach -c 'rm -rf -- "$@" || { chmod -R u+rwX -- "$@"; rm -rf -- "$@"; }' trash "${trash[@]/#/$PWD/}" &
  remover=$!
  for ((tick = 0; tick < 50; tick++)); do
    [[ -e /proc/$remover ]] || return 0
    sleep 0.02
  done
}
