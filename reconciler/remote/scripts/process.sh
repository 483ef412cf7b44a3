# shellcheck shell=bash disable=SC2034,SC2154
# Records and processes of a run: who they are, and how they are ended. The supervisor carries this file too, and runs
# it from a trap: there, a `return` without a number would give the status of whatever the signal interrupted.

NL=$'\n'
declare -A FOUND=() STOPPED=()
declare -a LIVING=()
SESSION=
read -r BOOT </proc/sys/kernel/random/boot_id
BOOT=${BOOT//-/}
BOOT=${BOOT:0:12}

# Sets NOW to hundredths of a second since boot, which no change of the clock moves.
uptime() {
  local text rest
  read -r text rest </proc/uptime
  NOW=$((10#${text/./}))
}

# Makes a record: 0 made, 1 was there first, 2 cannot be made. A full disk may cost what only the start needed.
record() {
  ln -sT -- "$3" "$1/$2" 2>/dev/null && return 0
  [[ -L $1/$2 ]] && return 1
  [[ -e $1/$2 ]] && mv -T -- "$1/$2" "$1/$2.aside.$RANDOM" 2>/dev/null
  ln -sT -- "$3" "$1/$2" 2>/dev/null && return 0
  rm -f -- "$1/reserve" "$1/environment" 2>/dev/null
  ln -sT -- "$3" "$1/$2" 2>/dev/null && return 0
  [[ -L $1/$2 ]] && return 1
  return 2
}

# Sets SETTING to the settings of a run directory.
read_settings() {
  local line text=
  declare -gA SETTING=()
  [[ -f $1/settings ]] || return 0
  # No more than a launch may write: a worker can make it a file without end.
  IFS= read -r -d '' -n 65536 text <"$1/settings"
  while [[ -n $text ]]; do
    line=${text%%"$NL"*}
    SETTING[${line%%=*}]=${line#*=}
    text=${text:${#line}+1}
  done
}

# Removes the file with the secrets, wherever it was put.
drop_secrets() {
  local file=${SETTING[secrets]-}
  [[ -n $file && $file == */"reconciler-${SETTING[mark]-?}.secrets" && -e $file ]] || return 0
  rm -f -- "$file"
}

# Removes what only a living run needs.
drop_tools() {
  rm -f -- "$1"/{reserve,environment,prelude.sh,supervisor.sh,project.sh,qa.sh,qa.step} 2>/dev/null
}

# Ends a run: directory, state, exit code, reason. What only running needed goes first, and makes room.
write_result() {
  local now text="state=$2"
  read_settings "$1"
  drop_secrets
  drop_tools "$1"
  [[ -n $3 ]] && text+=";rc=$3"
  [[ -n $4 ]] && text+=";r=$4"
  printf -v now '%(%s)T' -1
  text+=";t=$now"
  [[ $2 != canceled && ${SETTING[last]-} == 1 ]] && text+=';last=1'
  record "$1" result "$text"
}

# Tells whoever listens that something happened to this run; a lost line costs time, never truth.
ring() {
  [[ -f ${1%/*/*/*}/_/bell ]] && printf '%s\n' "${1##*/}" >>"${1%/*/*/*}/_/bell"
} 2>/dev/null

# Sets TICKS, MEMBER_OF and SPENT of a living process: start, session, processor time in ticks with its waited children.
identify() {
  local line=
  local -a stat
  [[ -e /proc/$1/stat ]] && { IFS= read -r -d '' line <"/proc/$1/stat"; } 2>/dev/null
  # A program may put `) ` into its name: what counts comes after the last one.
  # shellcheck disable=SC2206
  stat=(${line##*) })
  [[ ${#stat[@]} -gt 19 && ${stat[0]} != [ZX] ]] || return 1
  TICKS=${stat[19]} MEMBER_OF=${stat[3]} SPENT=$((stat[11] + stat[12] + stat[13] + stat[14]))
}

# Is this pid still the process that was found?
same() {
  identify "$1" && [[ $TICKS == "${FOUND[$1]-}" ]]
}

# Is this record (p=…;s=…;b=…) a process that lives now? Sets PID.
lives() {
  [[ $1 =~ ^p=([0-9]+)\;s=([0-9]+)\;b=([0-9a-f]+)$ && ${BASH_REMATCH[3]} == "$BOOT" ]] || return 1
  PID=${BASH_REMATCH[1]}
  FOUND[$PID]=${BASH_REMATCH[2]}
  same "$PID" && return 0
  unset "FOUND[$PID]"
  return 1
}

# Has this process the entry in its environment (when none is named, the run's mark or its directory)?
carries() {
  local entry mark=${2:-RECONCILER_MARK=$MARK} place=${2:-RECONCILER_RUN_DIR=$RUN_DIR}
  local -a entries=()
  if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 404)); then
    mapfile -d '' -t entries
  else
    while IFS= read -r -d '' entry; do entries+=("$entry"); done
  fi <"/proc/$1/environ"
  [[ "${entries[*]}" == *"$mark"* || "${entries[*]}" == *"$place"* ]] || return 1
  for entry in "${entries[@]}"; do
    [[ $entry == "$mark" || $entry == "$place" ]] && return 0
  done
  return 1
} 2>/dev/null

# Sets FORKS to the number of processes and threads ever started here.
count_forks() {
  local text=
  IFS= read -r -d '' text </proc/stat
  [[ $text =~ processes\ ([0-9]+) ]] && FORKS=${BASH_REMATCH[1]}
}

# Are all processes of the run sure to have a pid above FIRST? Only while the numbers cannot have begun anew.
above_first() {
  local most tasks rest
  [[ -n ${FIRST-} ]] && count_forks && read -r most </proc/sys/kernel/pid_max &&
    read -r rest rest rest tasks rest </proc/loadavg &&
    ((FIRST + FORKS - FORKS_BEFORE + 2 * ${tasks#*/} + 500 < most))
}

# Finds what carries MARK or is of SESSION: FOUND remembers each by its start, LIVING lists those alive now.
# The scan has to find a mark of its own; when it does not, it fails, and nothing is known.
scan() {
  local pid look fresh low=0 born=-1
  local -A seen=()
  local -a all pids=()
  above_first && low=$FIRST
  count_forks && born=$FORKS
  all=(/proc/[0-9]*)
  if ((low)); then
    for pid in "${all[@]#/proc/}"; do ((pid > low)) && pids+=("$pid"); done
  else
    pids=("${all[@]#/proc/}")
  fi
  if ((low && ${#pids[@]} <= 30)); then
    carries "$$" "RECONCILER_SUPERVISOR=$RUN" || return 1
    for pid in "${pids[@]}"; do examine "$pid"; done
  else
    sift "${pids[@]}" || return 1
    ((++born)) # its grep
  fi
  # What was born meanwhile may be the child of what died meanwhile: looks again until there is nobody new.
  for look in 1 2 3 4; do
    count_forks && ((FORKS == born)) && break
    if ((look == 1)); then for pid in "${pids[@]}"; do seen[$pid]=1; done; fi
    fresh=0
    all=(/proc/[0-9]*)
    for pid in "${all[@]#/proc/}"; do
      ((pid > low)) && [[ -z ${seen[$pid]-} ]] || continue
      seen[$pid]=1 fresh=1
      examine "$pid"
    done
    ((fresh)) || break
  done
  survey
}

# Examines those of many processes that one grep finds: one process, with a mark of its own, that has to find itself, too.
sift() {
  local token=$RANDOM.$BASHPID.$RANDOM text self path pid place=$RUN_DIR
  local -a files looks
  # Its characters as grep takes them.
  for path in '\' . '[' ']' '*' '+' '?' '(' ')' '{' '}' '|' '^' '$'; do place=${place//"$path"/"\\$path"}; done
  files=("${@/#//proc/}")
  looks=(-e "^RECONCILER_SCAN=$token\$" -e "^RECONCILER_MARK=$MARK\$" -e "^RECONCILER_RUN_DIR=$place\$")
  [[ -z $SESSION ]] || looks+=(-e "\) [A-Za-z] -?[0-9]+ -?[0-9]+ $SESSION [^)]*\$")
  text=$(
    files+=("/proc/$BASHPID")
    printf '%s\n' "$BASHPID"
    RECONCILER_SCAN=$token exec grep -lzsE "${looks[@]}" -- "${files[@]/%//environ}" ${SESSION:+"${files[@]/%//stat}"}
  )
  self=${text%%"$NL"*}
  [[ $text$NL == *"/proc/$self/environ$NL"* ]] || return 1
  for path in $text; do
    pid=${path#/proc/} pid=${pid%%/*}
    [[ $pid == "$self" ]] || examine "$pid"
  done
}

# Adds a process to FOUND when it is one of the run's.
examine() {
  local start
  [[ $1 == "$$" ]] && return 0
  [[ -n ${FOUND[$1]-} ]] && same "$1" && return 0
  # The start is read before the mark is seen again: a pid that changed hands in between never matches.
  identify "$1" || return 0
  start=$TICKS
  if [[ -n $SESSION && $MEMBER_OF == "$SESSION" ]] || carries "$1"; then FOUND[$1]=$start; fi
}

# LIVING = those of FOUND that are alive.
survey() {
  local pid
  LIVING=()
  for pid in "${!FOUND[@]}"; do
    if same "$pid"; then LIVING+=("$pid"); else unset "FOUND[$pid]"; fi
  done
}

send() {
  local signal=$1 pid
  shift
  for pid; do
    same "$pid" && kill -s "$signal" -- "$pid" 2>/dev/null
  done
}

# Ends everything of a run, with GRACE seconds for good byes: 0 nothing lives, 1 something survives KILL, 2 unknown.
end_all() {
  local quiet=0 deadline pid fresh
  scan || return 2
  if ((${#LIVING[@]} == 0)); then
    quiet=1
  else
    send TERM "${LIVING[@]}"
    send CONT "${LIVING[@]}"
    uptime
    deadline=$((NOW + 100 * $1))
    while ((NOW < deadline)); do
      sleep 0.05
      survey
      if ((${#LIVING[@]} == 0)); then
        scan || return 2
        ((${#LIVING[@]})) || break
        send TERM "${LIVING[@]}"
      fi
      uptime
    done
  fi
  uptime
  deadline=$((NOW + 500))
  while :; do
    scan || return 2
    if ((${#LIVING[@]} == 0)); then
      ((++quiet == 2)) && return 0
      continue
    fi
    quiet=0
    # All stand still before the first is killed, so that nobody is left to fork.
    STOPPED=()
    while :; do
      fresh=0
      for pid in "${LIVING[@]}"; do
        [[ ${STOPPED[$pid]-} == "${FOUND[$pid]}" ]] && continue
        send STOP "$pid"
        STOPPED[$pid]=${FOUND[$pid]}
        fresh=1
      done
      ((fresh)) || break
      scan || return 2
    done
    send KILL "${LIVING[@]}"
    uptime
    ((NOW < deadline)) || return 1
    sleep 0.02
  done
}
