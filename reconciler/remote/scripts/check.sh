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

# What agents are started with, each asked for its version and its flags. They are slow and do not need each other: all
# are asked at once, for 20 seconds at most.
check_agents() {
  local index program name version text flag missing descriptor
  local -a versions=() helps=() words
  for index in "${!AGENTS[@]}"; do
    program=${AGENTS[index]}
    # shellcheck disable=SC2088 # nobody else would expand it
    [[ $program != '~/'* ]] || program=$HOME/${program#'~/'}
    AGENTS[index]=$program
    type -P -- "$program" >/dev/null && [[ -n ${HELPS[index]} ]] || continue
    mapfile -t words <<<"${HELPS[index]}"
    exec {descriptor}< <(ask_agent "$program" --version)
    versions[index]=$descriptor
    exec {descriptor}< <(ask_agent "$program" "${words[@]}")
    helps[index]=$descriptor
  done
  for index in "${!AGENTS[@]}"; do
    program=${AGENTS[index]} name=${AGENTS[index]##*/} missing=
    name=${name//[![:graph:]]/-}
    if ! type -P -- "$program" >/dev/null; then
      check fail "$name" 'not installed on this host, or not on the PATH that shellPrelude gives'
      continue
    elif [[ -z ${HELPS[index]} ]]; then
      check ok "$name" 'is installed'
      continue
    fi
    hear "${versions[index]}"
    version=
    while IFS= read -r text; do
      [[ $text =~ [0-9]\.[0-9] ]] && version=${text//[[:cntrl:]]/} && break
    done <<<"$HEARD"
    version=${version:0:100}
    FACTS+="tool.$name=$version$NL"
    hear "${helps[index]}"
    while IFS= read -r flag; do
      [[ -z $flag || " ${HEARD//[^A-Za-z0-9-]/ } " == *" $flag "* ]] || missing+=" $flag"
    done <<<"${FLAGS[index]}"
    if [[ -z $HEARD ]]; then
      check warn "$name" "${version:-is installed}, but says nothing about its options: see that it runs on this host"
    elif [[ -n $missing ]]; then
      check warn "$name" "${version:-is installed}, but does not know$missing: update it"
    else
      check ok "$name" "${version:-is installed, in an unknown version}"
    fi
  done
}

ask_agent() {
  TERM=dumb NO_COLOR=1 CI=true exec timeout -k 2 20 "$@" </dev/null 2>&1
}

# Sets HEARD to what comes from a descriptor; what a program leaves running must not hold the call up.
hear() {
  local left=$((22 - SECONDS)) descriptor=$1
  HEARD=
  IFS= read -r -d '' -t "$((left > 1 ? left : 1))" HEARD <&"$descriptor"
  exec {descriptor}<&-
}

# Logins with which git and GitHub are used; a worker may bring its own, so nothing fails here.
check_logins() {
  local forge version name email
  for forge in "${FORGES[@]}"; do
    if ! hash -- gh 2>/dev/null; then
      check warn gh 'not installed: forks, issues and pull requests need it'
      break
    elif GH_PROMPT_DISABLED=1 timeout -k 2 20 gh auth status --hostname "$forge" </dev/null >/dev/null 2>&1; then
      version=$(gh --version 2>/dev/null </dev/null)
      check ok gh "${version%% (*}, logged in to $forge"
    elif [[ $TOKENS == *" $forge "* ]]; then
      check ok gh "workers bring a token for $forge; nobody is logged in there without one"
    else
      check warn gh "not logged in to $forge: run \`gh auth login\` there, or give workers a GH_TOKEN secret"
    fi
  done
  [[ -n ${FIELD[git-identity]-} ]] || return 0
  name=${GIT_AUTHOR_NAME-$(cd / && git config --get user.name)}
  email=${GIT_AUTHOR_EMAIL-$(cd / && git config --get user.email)}
  if [[ -n $name && -n $email ]]; then
    check ok git-identity "commits are made by $name <$email>"
  else
    check warn git-identity 'git does not know whose commits it makes: run `git config --global user.name ...` and `user.email ...` there'
  fi
}

# Worktrees need a git that is not too old.
check_git() {
  local version
  version=$(git --version 2>/dev/null)
  if [[ ! $version =~ ([0-9]+)\.([0-9]+) ]]; then
    check fail git 'git does not say its version'
  elif ((BASH_REMATCH[1] * 1000 + BASH_REMATCH[2] < 2030)); then
    check fail git "$version is too old: projects need git 2.30 or newer"
  else
    check ok git "$version"
  fi
}

receive
exec 3<&-
AGENTS=() HELPS=() FLAGS=() FORGES=() TOKENS=
while next_field; do
  case $KEY in
    agent) AGENTS+=("$VALUE") HELPS+=('') FLAGS+=('') ;;
    help) HELPS[${#AGENTS[@]} - 1]=$VALUE ;;
    flag) FLAGS[${#AGENTS[@]} - 1]+=$VALUE$NL ;;
    gh) FORGES+=("$VALUE") ;;
    gh-token) TOKENS+=" $VALUE " ;;
    *) FIELD[$KEY]=$VALUE ;;
  esac
done
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
[[ -z ${FIELD[git-identity]-} ]] || check_git
check_agents
check_logins
frame checks "$CHECKS"
[[ -z ${gate_mode-} ]] || frame gate "$gate_mode$gate_list"
report
finish 0
