# shellcheck shell=bash
# Sourced on the first line of an instrumented script: before every command of a line that writes there is a fault point.
# Takes the name of the text, the role of the process, and the run directory where the process belongs to a run.
# $FAULTS is the folder of the experiments; a fault is `<role> <text>:<line><<line of the caller> <count> <kind>`, in $FAULT
# or for a run in at/.

FAULT_ROLE=$2
declare -gA FAULT_AT FAULT_SEEN FAULT_TEXT
FAULT_TEXT[${BASH_SOURCE[1]-}.]=$1 FAULT_ONLY=${FAULT_ONLY-$1} # a text from `bash -c` has no file
for FAULT_LINE in $(<"$FAULTS/$1.lines"); do FAULT_AT[$1:$FAULT_LINE]=1; done
if [[ -n ${3-} ]]; then
  FAULT_NAME=${3##*/}
  [[ ! -f $FAULTS/at/$FAULT_NAME ]] || FAULT=$(<"$FAULTS/at/$FAULT_NAME")
fi

# Takes the file and the line of the command that comes next, and the command; fails when that is to be torn.
fault_point() {
  local place=${FAULT_TEXT[$1.]-$FAULT_ONLY}:$2 point also=
  [[ -n ${FAULT_AT[$place]-} ]] || return 0
  place+="<${BASH_LINENO[1]-}"
  FAULT_SEEN[$place]=$((${FAULT_SEEN[$place]-0} + 1))
  point="$FAULT_ROLE $place ${FAULT_SEEN[$place]}"
  if [[ -n ${FAULT_TRACE-} ]]; then
    [[ $BASHPID == "$$" ]] || also=' self'
    [[ $3 != *' > '* || $3 == *'/dev/null' ]] || also+=' torn'
    printf '%s main group%s\n' "$point" "$also" >>"$FAULT_TRACE"
  fi
  [[ ${FAULT-} == "$point "* ]] || return 0
  : >>"$FAULTS/fired/$FAULT_NAME"
  case ${FAULT##* } in
    self) kill -9 "$BASHPID" ;;
    main) kill -9 "$$" "$BASHPID" ;;
    group) kill -9 0 ;;
    fill) fault_fill ;;
    torn) return 1 ;;
  esac
  return 0
}

# Half of what was to be written is there when the process dies.
fault_torn() {
  local size
  size=$(stat -c %s -- "$1")
  truncate -s "$((size / 2))" -- "$1"
  kill -9 "$$" "$BASHPID"
}

# No room and no inode is left on the workspace's disk.
fault_fill() {
  local index=0
  cat /dev/zero >"$FAULT_DISK/fill"
  while : >"$FAULT_DISK/fill.$index"; do ((++index)); done
} 2>/dev/null

set -T
trap 'fault_point "${BASH_SOURCE[0]-}" "$LINENO" "$BASH_COMMAND" || { eval "$BASH_COMMAND"; eval "fault_torn ${BASH_COMMAND##* > }"; }' DEBUG
