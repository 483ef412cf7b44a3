# shellcheck shell=bash disable=SC2034,SC2154
# Who may change something here: one fleet, one host name, one lease, one call at a time.

login_umask=$(umask)
umask 077
declare -A HELD=()

# Replaces the text of a mark in one step.
swap() {
  ln -sT -- "$2" "_/.$1.$NONCE" && mv -fT -- "_/.$1.$NONCE" "_/$1" && return
  rm -f -- "_/.$1.$NONCE"
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
  [[ ${HELD[revision]-} == "${FIELD[revision]}" ]] || swap revision "${FIELD[revision]}" ||
    refuse "cannot write to $ROOT/_: see its owner and its disk"
}
