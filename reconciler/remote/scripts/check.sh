# shellcheck shell=bash disable=SC2034,SC2154
# Looks at what a host needs to have. Each check is a line: ok, warn or fail, a name, a sentence.

CHECKS='' FACTS=''

check() {
  CHECKS+="$1 $2 $3$NL"
}

check_programs() {
  local program missing=
  for program in "$@"; do hash -- "$program" 2>/dev/null || missing+=" $program"; done
  if [[ -z $missing ]]; then
    check ok programs 'everything that the scripts need is installed'
  else
    check fail programs "not installed:$missing (coreutils, findutils, grep, git and util-linux are needed)"
  fi
}

# The version line of every tool there is; they run with the worker's PATH and without any input.
versions() {
  local tool line
  for tool in bash git flock find python3; do
    hash -- "$tool" 2>/dev/null || continue
    line=$("$tool" --version 2>/dev/null </dev/null)
    line=${line%%"$NL"*}
    FACTS+="tool.$tool=${line:0:120}$NL"
  done
}

check_prelude() {
  local said code
  said=$(eval "${FIELD[prelude]-}" 2>&1)
  code=$?
  if ((code == 0)); then
    check ok prelude 'shellPrelude runs'
  else
    said=${said//"$NL"/ }
    check fail prelude "shellPrelude ends with exit code $code: ${said:0:200}"
  fi
}

check_bash() {
  if ((BASH_VERSINFO[0] > 4 || (BASH_VERSINFO[0] == 4 && BASH_VERSINFO[1] >= 2))); then
    check ok bash "bash ${BASH_VERSION%%(*}"
  else
    check fail bash "bash ${BASH_VERSION%%(*} is too old: 4.2 or newer is needed"
  fi
}

check_find() {
  if find / -maxdepth 0 -ignore_readdir_race -regextype posix-extended -regex / -printf '' 2>/dev/null; then
    check ok find 'find is the GNU one'
  else
    check fail find 'find is not the GNU one: install findutils'
  fi
}

# Where the workspace is, or would be made: may we write there, and is it a disk of this machine?
check_place() {
  local place=$ROOT kind
  while [[ $place == /*/* && ! -d $place ]]; do place=${place%/*}; done
  [[ -d $place ]] || place=/
  if [[ -w $place && -x $place ]]; then
    check ok workspace "$ROOT can be used"
  else
    check fail workspace "$place does not let this login write: choose another workspaceRoot"
  fi
  kind=$(stat -f -c %T -- "$place")
  case $kind in
    nfs* | cifs | smb* | fuse* | 9p | afs | gpfs | lustre | ceph)
      check warn disk "the workspace would be on $kind: set workspaceRoot to a local disk, locks are not safe elsewhere"
      ;;
    *) check ok disk "the workspace is on $kind" ;;
  esac
}

check_secrets() {
  local place
  for place in "${XDG_RUNTIME_DIR-}" /dev/shm; do
    if [[ $place == /* && -w $place && $(stat -f -c %T -- "$place") == @(tmpfs|ramfs) ]]; then
      check ok secrets "secrets wait in $place, in memory, until the worker starts"
      return
    fi
  done
  check warn secrets 'there is no place in memory for secrets: they wait in the run directory, readable by this login alone'
}

# Can processes be found by their mark? What logind does to them when the login ends matters as much.
check_processes() {
  if RECONCILER_SCAN=$NONCE grep -qzsxF "RECONCILER_SCAN=$NONCE" /proc/self/environ; then
    check ok processes 'workers are found by a mark in their environment; what clears it and leaves its session escapes'
  else
    check fail processes '/proc/PID/environ cannot be read: workers could not be found again'
  fi
  if grep -Eqs '^ *KillUserProcesses *= *(yes|true|1|on)' /etc/systemd/logind.conf /etc/systemd/logind.conf.d/*.conf; then
    check warn logind 'KillUserProcesses=yes ends workers when the login ends: turn it off or enable lingering'
  fi
}

check_lock() {
  [[ -e _/lock ]] || return 0
  if flock -s -w 5 7 7<_/lock; then
    check ok lock 'the workspace can be locked'
  else
    check fail lock 'the workspace is locked for more than 5 seconds'
  fi
}

receive
exec 3<&-
read_fields
open_workspace
check_bash
check_prelude
prelude_path
check_programs head tail cat stat mkdir rmdir rm mv ln sleep chmod wc readlink find grep git flock setsid
check_find
check_place
check_secrets
check_processes
check_lock
versions
frame checks "$CHECKS"
report
finish 0
