# shellcheck shell=bash disable=SC2034,SC2154
# Lives as long as its run does: starts the worker, watches it, ends what it leaves behind, has its work checked, writes
# the result. `supervise DIR` is the supervisor, `work DIR` turns into the worker, `qa DIR` checks its work (stage.sh),
# `reap DIR STATE REASON` is for a run whose supervisor is gone. Descriptor 9 holds the run's lock; 5 and 7 are the
# worker's output, 6 leads to the watchdog.
#
# Two things that bash does shape this file: `wait` can lose the status of a child that ends while a caught signal comes
# in, so only signals that end the run are used; and a trap must not interrupt `read -t`, whose time limit would then cut
# off the trap's own reads, so the supervisor only ever waits.

PENDING='' READY=0 WORKER='' CODE='' BLOCKED='' CHECKING='' CHECKED='' STUCK='' SECRETS='' DRAINS=()

say() {
  printf '%s\n' "$*" >>"$RUN_DIR/supervisor.log"
} 2>/dev/null

open_run() {
  RUN_DIR=$1 RUN=${1##*/}
  cd -- "$RUN_DIR" || exit 70
  read_settings .
  MARK="$RUN;${SETTING[mark]}"
  OUT=stdout.log WORKTREE=$RUN_DIR/work
  [[ ${SETTING[events]-} != 1 ]] || OUT=events.jsonl
  [[ -z ${SETTING[project]-} ]] || WORKTREE=${RUN_DIR%/*/*}/worktrees/${SETTING[worktree]}
}

# A signal that ends the run: before there is something to wait for, it is only remembered.
stop() {
  [[ $PENDING == cancel ]] || PENDING=$1
  if ((READY)); then conclude "$1"; fi
}

supervise() {
  trap 'stop cancel' TERM
  trap 'stop Timeout' USR2
  trap 'stop IdleTimeout' VTALRM
  open_run "$1"
  exec 2>>supervisor.log
  unset -v RECONCILER_SUPERVISOR
  count_forks && FIRST=$$ FORKS_BEFORE=$FORKS
  identify "$$" || exit 70
  STARTED=$TICKS
  if ! record . started "p=$$;s=$STARTED;b=$BOOT"; then
    drop_secrets
    exit 76
  fi
  ring "$RUN_DIR"
  # For the checks, as the stage removes the file; they stay in memory.
  [[ -z ${SETTING[qa]-} || ! -f ${SETTING[secrets]-} ]] || IFS= read -r -d '' SECRETS <"${SETTING[secrets]}"
  exec 6> >(watchdog "${SETTING[prepare_timeout]:-1800}")
  WATCHDOG=$!
  exec 4<> <(:)
  drain "$OUT" "${SETTING[log_limit]:-51200}" </dev/fd/4 4>&- &
  DRAINS+=("$!")
  exec 5>/dev/fd/4 4<> <(:)
  drain stderr.log "${SETTING[log_limit]:-51200}" </dev/fd/4 4>&- &
  DRAINS+=("$!")
  exec 7>/dev/fd/4 4>&-
  # The child keeps the lock until it carries the mark: a free lock means that all there is can be found.
  RECONCILER_MARK=$MARK RECONCILER_RUN_DIR=$RUN_DIR \
    setsid "$BASH" --noprofile --norc -p supervisor.sh work "$RUN_DIR" >&5 2>&7 5>&- 7>&- &
  WORKER=$!
  exec 5>&- 7>&-
  identify "$WORKER" && FOUND[$WORKER]=$TICKS
  READY=1
  [[ -z $PENDING ]] || conclude "$PENDING"
  wait "$WORKER"
  CODE=$?
  if [[ $CODE == 0 && -n ${SETTING[qa]-} ]]; then check_work; fi
  conclude ended
}

# The worker says that it is done. Signals are only remembered until its checks can be waited for; a cancel also has its
# record, and a time limit that the worker has just reached is none of theirs.
check_work() {
  local tick
  READY=0
  exec 6>&-
  clear_up
  for ((tick = 0; tick < 500; tick++)); do
    [[ -n $WATCHDOG && -e /proc/$WATCHDOG ]] || break
    sleep 0.01
  done
  keep_answer
  if [[ $PENDING == cancel || -L cancel ]]; then conclude cancel; fi
  [[ -z $BLOCKED ]] || return 0
  CHECKING=1
  [[ -z $STUCK ]] || return 0
  clear_place qa.log qa.tsv qa.step
  ln -sfn qa phase
  ring "$RUN_DIR"
  exec 4<> <(:)
  drain qa.log "${SETTING[log_limit]:-51200}" </dev/fd/4 4>&- &
  DRAINS+=("$!")
  exec 5>/dev/fd/4 4>&-
  exec 3< <(exec 5>&- 9>&- && printf %s "$SECRETS")
  SECRETS=
  RECONCILER_MARK=$MARK RECONCILER_RUN_DIR=$RUN_DIR \
    setsid "$BASH" --noprofile --norc -p supervisor.sh qa "$RUN_DIR" >&5 2>&5 5>&- &
  WORKER=$!
  exec 3<&- 5>&-
  identify "$WORKER" && FOUND[$WORKER]=$TICKS
  READY=1
  if [[ $PENDING == cancel || -L cancel ]]; then conclude cancel; fi
  exec 6> >(watchdog "${SETTING[timeout]:-0}")
  wait "$WORKER"
  CHECKED=$?
}

# Ends what a stage left behind, and waits until everything it said is written down.
clear_up() {
  local pid left waited=0
  SESSION=$WORKER
  end_all "${SETTING[grace]:-10}"
  left=$?
  [[ -f supervisor.log && ! -L supervisor.log ]] || clear_place supervisor.log
  case $left in
    1) STUCK=1 && record . stuck "n=${#LIVING[@]}" && say "stuck: ${LIVING[*]} survived KILL" ;;
    2) STUCK=1 && record . stuck n=- && say 'stuck: the scan for what is left could not find itself' ;;
  esac
  while ((waited++ < 100)); do
    for pid in "${DRAINS[@]}"; do [[ -e /proc/$pid ]] && sleep 0.05 && continue 2; done
    break
  done
  DRAINS=()
}

# Makes room for files that are written next. The worker could write here: a link would be followed, a pipe waited for.
clear_place() {
  local name
  for name; do
    rm -f -- "$name" 2>/dev/null || mv -T -- "$name" "$name.aside.$RANDOM"
  done
}

# The worker is over, or has to be: clears up, judges, writes the result.
conclude() {
  local how=$1 state=failed reason='' code='' phase=
  trap : TERM USR2 VTALRM
  exec 6>&-
  clear_up
  # `work` is there and a directory, so a link to it needs no reading.
  [[ -d phase ]] || phase=$(readlink phase)
  if [[ $phase == checkout ]]; then drop_clone; fi
  # It may have failed to turn into the worker in the last moment.
  [[ $CODE == 126 ]] && said_why && phase=prepare
  if [[ $phase == @(prepare|checkout|worktree|setup) ]]; then
    phase=${phase/setup/the setup} phase=${phase/prepare/the shell prelude}
  else
    phase=
    [[ -n $CHECKING ]] || keep_answer
  fi
  if [[ $how == cancel && -L cancel ]]; then
    state=canceled
  elif [[ $how == cancel ]]; then
    # Nobody asked for this TERM by a record: the machine goes down, or a person did it.
    state=lost reason=SupervisorGone
  elif [[ -n $phase ]]; then
    reason=PrepareFailed
    prepare_failed "$how" "$phase"
  elif [[ -n $CHECKING ]]; then
    code=$CODE
    if [[ $how == ended && $CHECKED == 0 ]]; then
      state=succeeded
    else
      reason=QAFailed
      checks_failed "$how"
    fi
  elif [[ $how != ended ]]; then
    reason=$how
  else
    code=$CODE
    if [[ -n $BLOCKED ]]; then
      state=blocked
    elif ((CODE == 0)); then
      state=succeeded
    elif ((CODE > 128 && CODE <= 192)); then
      reason=Signal
    else
      reason=ExitCode
    fi
  fi
  # What is no result, but lies in its place, came from the worker.
  [[ ! -L result && ! -e result ]] || [[ $(readlink result) =~ ^(state=(succeeded|failed|blocked|canceled|lost)(\;[a-z]+=[A-Za-z0-9]+)*)?$ ]] || clear_place result
  write_result . "$state" "$code" "$reason"
  ring "$RUN_DIR"
  exit 0
}

# A clone that was not completed is of no use to anybody, and may be what fills the disk. Who has the lock makes one anew.
drop_clone() {
  local lock
  [[ -d ../../checkout.new ]] && { exec {lock}<>../../lock; } && flock -n "$lock" && rm -rf -- ../../checkout.new
} 2>/dev/null

# What the worker has to say; odd kinds of files are not read, and a question that was there before it is not its own.
keep_answer() {
  local sum
  if [[ -f result.json && ! -L result.json ]]; then
    clear_place answer.json
    if (($(stat -c %s result.json) <= 1048576)); then
      mv -fT result.json answer.json
    else
      head -c 1048576 <result.json >answer.json || rm -f answer.json
    fi
  fi
  [[ -f $WORKTREE/BLOCKED.md && ! -L $WORKTREE/BLOCKED.md ]] || return 0
  if [[ -L question ]]; then
    sum=$(head -c 65536 <"$WORKTREE/BLOCKED.md" | sha256sum)
    [[ ${sum:0:40} != "$(readlink question)" ]] || return 0
  fi
  BLOCKED=1
  clear_place blocked.md
  head -c 65536 <"$WORKTREE/BLOCKED.md" >blocked.md
} 2>/dev/null

said_why() {
  grep -aqs '^PrepareFailed: ' supervisor.log
}

# The last line of supervisor.log: takes how it ended, and during what.
prepare_failed() {
  case $1 in
    Timeout) say "PrepareFailed: preparing took longer than ${SETTING[prepare_timeout]:-1800} seconds (it was at: $2)" ;;
    *) said_why || say "PrepareFailed: $2 ended the shell with exit code ${CODE:-?}" ;;
  esac
}

# The last line of qa.log.
checks_failed() {
  local text="the checks ended with exit code $CHECKED"
  [[ $1 == ended ]] || text="the checks took longer than ${SETTING[timeout]} seconds"
  [[ -n $CHECKED || $1 != ended ]] || text='what the worker left running could not be ended: its work was not checked'
  [[ $1 == ended && -s qa.log && -n $CHECKED ]] || printf '[reconciler: %s]\n' "$text" >>qa.log
} 2>/dev/null

# The end of a run that has no supervisor any more; the lock was handed over.
reap() {
  open_run "$1"
  [[ -f supervisor.log && ! -L supervisor.log ]] || clear_place supervisor.log
  exec 2>>supervisor.log
  end_all "${SETTING[grace]:-10}"
  case $? in
    1) record . stuck "n=${#LIVING[@]}" ;;
    2) record . stuck n=- ;;
  esac
  [[ $(readlink phase) != checkout ]] || drop_clone
  write_result . "$2" '' "$3"
  ring "$RUN_DIR"
}

case ${1-} in
  supervise) supervise "$2" ;;
  reap) reap "$2" "$3" "$4" ;;
  work | qa)
    exec 9>&-
    reconciler_stage=$1
    if [[ $1 == qa ]]; then
      reconciler_prepare "$2" /dev/fd/3
      exec 3<&-
    else
      reconciler_prepare "$2"
    fi
    # shellcheck disable=SC1091
    if . "$RECONCILER_RUN_DIR/prelude.sh" >>"$RECONCILER_RUN_DIR/supervisor.log" 2>&1 6>&-; then
      if [[ $reconciler_stage == qa ]]; then reconciler_check; else reconciler_work; fi
    else
      reconciler_fail "the shell prelude ended with exit code $?"
    fi
    ;;
esac
exit
