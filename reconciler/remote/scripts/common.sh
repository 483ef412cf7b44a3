# shellcheck shell=bash disable=SC2034,SC2154
# What every call begins with: the payload, the frames of the answer, the workspace.

login_locale=${LC_ALL-}
export LC_ALL=C
unset -v CDPATH RECONCILER_MARK RECONCILER_RUN_DIR
shopt -s nullglob
NL=$'\n'
declare -A FIELD=()
LABEL='[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?'
LARGEST=$((64 << 20)) # of a payload, which is held in memory
RUN_NAME='[a-z0-9-]+-[0-9a-f]{8}-[1-9][0-9]{0,8}'

# The name and text of one frame of the answer.
frame() {
  printf '%s frame %s %d\n%s\n' "$NONCE" "$1" "${#2}" "$2"
}

# The trailer: without it, nobody knows what happened here.
finish() {
  printf '%s end %d\n' "$NONCE" "$1"
  exit 0
}

# One sentence for people, and the end of the call.
refuse() {
  frame error "$1"
  finish 5
}

# Reads the payload from descriptor 3; a payload that is cut off has no effect at all.
receive() {
  local head
  IFS= read -r head <&3
  [[ $head == exit ]] && IFS= read -r head <&3
  if ! [[ $head =~ ^([A-Za-z0-9]+)\ ([0-9]{1,9})$ ]]; then
    echo 'reconciler: no payload on standard input (it has to be a pipe)' >&2
    exit 65
  fi
  if ((10#${BASH_REMATCH[2]} > LARGEST)); then
    echo "reconciler: the payload is larger than $LARGEST bytes" >&2
    exit 65
  fi
  NONCE=${BASH_REMATCH[1]} LENGTH=$((10#${BASH_REMATCH[2]})) AT=0 PAYLOAD='' PIECE=''
  # `read` costs a system call a byte, `head` a process.
  if ((LENGTH > 1024)); then
    PAYLOAD=$(head -c "$LENGTH" <&3; printf .)
    PAYLOAD=${PAYLOAD%.}
  elif ((LENGTH)); then
    IFS= read -r -N "$LENGTH" PAYLOAD <&3
  fi
  printf '\n%s begin\n' "$NONCE"
  ((${#PAYLOAD} == LENGTH)) || finish 65
}

# Sets KEY and VALUE to the next field of the payload; fails at its end. Whatever is cut out of a long text costs bash the
# whole text, so short fields are cut out of PIECE, the part of the payload that begins at AT.
next_field() {
  local line size
  ((AT < LENGTH)) || return 1
  ((${#PIECE} >= 200)) || PIECE=${PAYLOAD:AT:4096}
  line=${PIECE:0:200}
  line=${line%%"$NL"*}
  [[ $line =~ ^([A-Za-z0-9_.-]+)\ ([0-9]{1,9})$ ]] || malformed "at byte $AT"
  KEY=${BASH_REMATCH[1]} size=$((10#${BASH_REMATCH[2]}))
  ((AT += ${#line} + size + 2))
  if ((${#line} + size + 2 <= ${#PIECE})); then
    VALUE=${PIECE:${#line}+1:size}
    PIECE=${PIECE:${#line}+1+size}
  else
    VALUE=${PAYLOAD:AT-size-1:size}
    PIECE=${PAYLOAD:AT-1:4096}
  fi
  ((AT <= LENGTH)) && [[ ${PIECE:0:1} == "$NL" ]] || malformed "at byte $AT"
  PIECE=${PIECE:1}
  # Behind a gate (gate.sh) not every value may come in.
  if declare -F admit >/dev/null; then admit; fi
}

# Says where, not what: it may be in the middle of a secret.
malformed() {
  frame error "the payload has a field that cannot be read: ${1:0:80}"
  finish 65
}

# All fields of a call that has no lists.
read_fields() {
  while next_field; do FIELD[$KEY]=$VALUE; done
}

# The programs named must be there; the prelude may have to say where they are.
need() {
  hash -- "$@" 2>/dev/null && return
  local program missing=
  prelude_path
  for program in "$@"; do hash -- "$program" 2>/dev/null || missing+=" $program"; done
  [[ -z $missing ]] || refuse "these programs are not installed on this host:$missing"
}

# Takes PATH, and nothing else, from the prelude, which may do whatever a user's script does.
prelude_path() {
  local path
  path=$(eval "${FIELD[prelude]-}" >/dev/null 2>&1; printf %s "$PATH")
  PATH=${path:-$PATH}
}

# Sets ROOT, and goes there when it exists.
open_workspace() {
  ROOT=${FIELD[root]-}
  # shellcheck disable=SC2088
  if [[ $ROOT == '~' || $ROOT == '~/'* ]]; then
    [[ ${HOME-} == /* ]] || refuse 'HOME is not set on this host: write workspaceRoot as an absolute path'
    ROOT=$HOME${ROOT#'~'}
  fi
  [[ $ROOT == /* && $ROOT != *"$NL"* ]] || refuse 'workspaceRoot must be an absolute path or begin with ~/'
  if [[ $ROOT -ef / || $ROOT -ef ${HOME:-/} || -z ${ROOT//[\/.]/} ]]; then
    refuse 'workspaceRoot is / or the home directory: name a folder of its own, such as ~/.reconciler'
  fi
  if [[ -e $ROOT || -L $ROOT ]]; then
    enter_workspace
  else
    cd / || finish 5
  fi
}

enter_workspace() {
  cd -P -- "$ROOT" 2>/dev/null || refuse "the workspace $ROOT is not a directory that this login may enter"
  ROOT=$PWD
}

# Sets PLACES to the folders that have runs: `_`, and one for each project.
find_places() {
  local place
  PLACES=()
  [[ -d _ ]] || return 0 # then this is no workspace
  for place in */runs/; do
    place=${place%/runs/}
    [[ ! -L $place && ! -L $place/runs && $place =~ ^(_|$LABEL)$ ]] && PLACES+=("$place")
  done
  return 0
}

# Sets LOCK to held, free or unknown. Free is also where no lock was ever made, or where a worker has put something else.
lock_state() {
  LOCK=free
  [[ -f $1/lock && ! -L $1/lock ]] || return
  LOCK=unknown
  flock -s -n -E 75 7 7<"$1/lock" 2>/dev/null
  case $? in
    0) LOCK=free ;;
    75) LOCK=held ;;
  esac
}
