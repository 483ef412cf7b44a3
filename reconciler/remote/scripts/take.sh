# shellcheck shell=bash disable=SC2034,SC2154
# Sets the lease, makes the workspace when there is none, and reports from under the same lock.

make_workspace() {
  mkdir -p -- "$ROOT" && enter_workspace && mkdir -p _/runs _/done _/trash &&
    { [[ -f _/bell ]] || rm -f _/bell; } && : >>_/bell
} 2>/dev/null

# 32 random hex digits from the kernel.
new_id() {
  local id
  read -r id </proc/sys/kernel/random/uuid
  printf '%s' "${id//-/}"
}

# A controller whose doorbell is open is at work: only `take_over` goes past it, and ends its channel.
check_holder() {
  local ledger pid start
  [[ -f _/holder ]] || return 0
  flock -s -n -E 75 7 7<_/holder && return
  read -r ledger pid start <_/holder
  [[ $ledger == "${FIELD[ledger]}" ]] && return
  if [[ ${FIELD[take_over]-} == 1 ]]; then
    holder
    [[ -n $HOLDER ]] && kill -TERM "$pid"
    return 0
  fi
  frame holder "$ledger"
  refuse_lease
}

# The revision stays: its report has to show what others acted on, and nothing has been acted on yet.
set_marks() {
  local lease="${FIELD[number]};${FIELD[ledger]}"
  [[ -n ${HELD[id]-} ]] || swap id "$(new_id)" || return
  [[ ${HELD[fleet]-} == "${FIELD[fleet_id]};${FIELD[fleet_name]}" ]] ||
    swap fleet "${FIELD[fleet_id]};${FIELD[fleet_name]}" || return
  [[ ${HELD[name]-} == "${FIELD[host_name]}" ]] || swap name "${FIELD[host_name]}" || return
  [[ ${HELD[lease]-} == "$lease" ]] || swap lease "$lease"
}

# Is this a process of a run below a workspace at this place?
is_stray() {
  local entry marked='' below=''
  while IFS= read -r -d '' entry; do
    [[ $entry == RECONCILER_MARK=* ]] && marked=1
    [[ $entry == "RECONCILER_RUN_DIR=$ROOT/"* && ${entry#"RECONCILER_RUN_DIR=$ROOT/"} =~ ^[^/]+/runs/[^/]+$ ]] && below=1
  done <"/proc/$1/environ"
  [[ -n $marked && -n $below ]]
} 2>/dev/null

# Where there is no workspace, nothing of one may live: what a wiped one left would run beside what starts anew.
end_strays() {
  local look path pid start quiet=0
  for look in {1..100}; do
    FOUND=()
    for path in $(grep -lzsF -- "RECONCILER_RUN_DIR=$ROOT/" /proc/[0-9]*/environ); do
      pid=${path#/proc/} pid=${pid%%/*}
      identify "$pid" || continue
      start=$TICKS
      is_stray "$pid" && FOUND[$pid]=$start
    done
    if ((${#FOUND[@]} == 0)); then
      ((++quiet == 2)) && return
      continue
    fi
    quiet=0
    send KILL "${!FOUND[@]}"
    sleep 0.05
  done
  refuse "processes of a workspace that was here before cannot be ended: ${!FOUND[*]}"
}

receive
exec 3<&-
read_fields
need find stat flock grep readlink ln mv mkdir rm
check_caller
find_programs
open_workspace
make_workspace || refuse "cannot make the workspace $ROOT: see who owns the place, and its disk"
lock_workspace
read_marks
check_workspace
if [[ -n ${HELD[lease]-} && ${HELD[lease]} != "${FIELD[number]};${FIELD[ledger]}" ]]; then
  [[ ${HELD[lease]} =~ ^([0-9]{1,15})\; ]] || refuse_lease
  ((FIELD[number] > 10#${BASH_REMATCH[1]})) || refuse_lease
fi
check_holder
[[ -n ${HELD[id]-} ]] || end_strays
set_marks || refuse "cannot write to $ROOT/_: see its owner and its disk"
report
finish 0
