# shellcheck shell=bash disable=SC2034,SC2154
# The stages of a run: `work DIR` turns into the worker, `qa DIR` checks what the worker has done. The prelude and the
# worker's environment are loaded into the same shell: what they could clash with is named reconciler_….

# Reads a file of fields as in a payload into reconciler_keys and reconciler_values; LC_ALL has to be C, sizes are bytes.
reconciler_read() {
  local text='' line at=0 size
  reconciler_keys=() reconciler_values=()
  [[ -e $1 ]] || return 0
  IFS= read -r -d '' text <"$1"
  while ((at < ${#text})); do
    line=${text:at:300}
    line=${line%%"$NL"*}
    [[ $line =~ ^(.+)\ ([0-9]{1,9})$ ]] || return 1
    size=$((10#${BASH_REMATCH[2]}))
    reconciler_keys+=("${BASH_REMATCH[1]}")
    reconciler_values+=("${text:at+${#line}+1:size}")
    ((at += ${#line} + size + 2))
  done
  ((at == ${#text}))
}

# Adds a file of variables to reconciler_environment; our own names are not theirs to set.
reconciler_variables() {
  local index name
  reconciler_read "$1" || return
  for index in "${!reconciler_keys[@]}"; do
    name=${reconciler_keys[index]}
    [[ $name =~ ^[A-Za-z_][A-Za-z0-9_]*$ ]] || return 1
    [[ $name == RECONCILER_* ]] || reconciler_environment+=("$name=${reconciler_values[index]}")
  done
}

# The words of the worker's command line, as far as it is one of words.
reconciler_arguments() {
  local index value
  reconciler_words=()
  reconciler_read command || return
  for index in "${!reconciler_keys[@]}"; do
    value=${reconciler_values[index]}
    case ${reconciler_keys[index]} in
      text) reconciler_words+=("$value") ;;
      file) reconciler_words+=("$RUN_DIR/$value") ;;
      worktree) reconciler_words+=("$RECONCILER_WORKTREE") ;;
      *) return 1 ;;
    esac
  done
}

# Ends the stage with a sentence.
reconciler_fail() {
  if [[ $reconciler_stage == qa ]]; then
    printf '%s\n' "$1"
  else
    printf 'PrepareFailed: %s\n' "$1" >>"$RECONCILER_RUN_DIR/supervisor.log"
  fi
  exit 126
} 2>/dev/null

# The record `phase` says what is going on from now on, and whoever listens is told.
enter_phase() {
  # Without a free inode there is no new record in the place of the old one: none at all says that the worker works.
  ln -sfn -- "$1" "$RECONCILER_RUN_DIR/phase" 2>/dev/null || [[ $1 != work ]] || rm -f -- "$RECONCILER_RUN_DIR/phase"
  ring "$RECONCILER_RUN_DIR"
  return 0
}

# Everything the stage needs is read before the prelude runs; the secrets' file is gone before it, too.
# Takes the directory, and for the checks a file with the secrets.
reconciler_prepare() {
  local root
  open_run "$1"
  RECONCILER_RUN_DIR=$RUN_DIR
  reconciler_environment=() reconciler_env=${SETTING[env]-} reconciler_project=${SETTING[project]-}
  reconciler_stdin=${SETTING[stdin]-} reconciler_qa=${SETTING[qa]-}
  reconciler_variables environment && reconciler_variables "${2:-${SETTING[secrets]:-/dev/null}}" ||
    reconciler_fail 'the environment that was sent cannot be read'
  drop_secrets
  root=${RUN_DIR%/*/*/*}
  export CI=true NO_COLOR=1 TERM=dumb
  export RECONCILER_FLEET=${SETTING[fleet]-} RECONCILER_TASK=${SETTING[task]-} RECONCILER_RUN=$RUN
  export RECONCILER_WORKTREE=$WORKTREE RECONCILER_RUN_DIR RECONCILER_MARK=$MARK
  export RECONCILER_RESULT_FILE=$RUN_DIR/result.json RECONCILER_CACHE_DIR=$root/${reconciler_project:-_}/cache
  [[ ! -f prompt.md ]] || export RECONCILER_PROMPT_FILE=$RUN_DIR/prompt.md
  [[ -d $RECONCILER_CACHE_DIR ]] || mkdir -p -- "$RECONCILER_CACHE_DIR" 2>/dev/null
  if [[ $reconciler_stage == qa ]]; then
    reconciler_read qa || reconciler_fail 'the checks that were sent cannot be read'
  else
    reconciler_arguments || reconciler_fail 'the command that was sent cannot be read'
  fi
  [[ -n $reconciler_project ]] || cd work || reconciler_fail "the worker's directory is gone"
  unset -v OLDPWD LC_ALL
  [[ -z ${SETTING[lc_all]-} ]] || export LC_ALL=${SETTING[lc_all]}
  umask "${SETTING[umask]:-022}"
}

# What a prelude may have set up for itself is undone, and the worker's environment is there from now on.
reconciler_settle() {
  local reconciler_entry
  [[ -n $reconciler_project ]] || unset -v SETTING
  unset -v FOUND STOPPED LIVING DRAINS # arrays would swallow variables of these names
  IFS=$' \t\n'
  set +efuvxC
  shopt -u failglob nocasematch nocaseglob
  trap - EXIT DEBUG ERR RETURN
  for reconciler_entry in "${reconciler_environment[@]}"; do
    export -- "${reconciler_entry?}" 2>>"$RECONCILER_RUN_DIR/supervisor.log"
  done
}

# Sets reconciler_command to what runs a script: bash, or what its first line names, as the kernel would read it.
reconciler_interpreter() {
  local line='' program argument
  IFS= read -r line <"$1"
  if [[ $line != '#!'* ]]; then
    hash -- bash 2>/dev/null || reconciler_fail 'bash is not on the PATH that the worker gets'
    reconciler_command=(bash -eo pipefail -- "$1")
  else
    read -r program argument <<<"${line:2}"
    argument=${argument%$'\r'} program=${program%$'\r'}
    [[ -f $program && -x $program ]] || reconciler_fail "the interpreter $program is not there"
    if [[ ${program##*/} == env && $argument =~ ^[A-Za-z0-9._+-]+$ && $argument != -* ]]; then
      hash -- "$argument" 2>/dev/null || reconciler_fail "the interpreter $argument is not on the PATH"
    fi
    reconciler_command=("$program" ${argument:+"$argument"} "$1")
  fi
  reconciler_signals
}

# Sets reconciler_command to the words that were sent.
reconciler_program() {
  local program=${reconciler_words[0]-}
  # shellcheck disable=SC2088 # nobody else would expand it
  [[ $program != '~/'* ]] || program=$HOME/${program#'~/'}
  if [[ $program == */* ]]; then
    [[ -f $program && -x $program ]] || reconciler_fail "$program is not on this host, or cannot be executed"
  else
    # It also names what is there and no program.
    [[ -n $program && -x $(type -P -- "$program") ]] ||
      reconciler_fail "$program is not installed on this host (not on the PATH that the worker gets)"
  fi
  reconciler_command=("$program" "${reconciler_words[@]:1}")
  reconciler_signals
}

# bash has let go of INT and QUIT for what it starts in the background; a worker shall get them as after a login.
reconciler_signals() {
  # A word with `=` in it would be a variable for env.
  [[ $reconciler_env != 1 || ${reconciler_command[0]} == *=* ]] ||
    reconciler_command=(env "--default-signal=INT,QUIT" -- "${reconciler_command[@]}")
}

reconciler_work() {
  local reconciler_sum
  reconciler_settle
  # shellcheck disable=SC1091
  if [[ -n $reconciler_project ]]; then
    . "$RECONCILER_RUN_DIR/project.sh" || reconciler_fail 'project.sh cannot be read'
    reconciler_project >>"$RECONCILER_RUN_DIR/supervisor.log" 2>&1 6>&-
  fi
  builtin cd -- "$RECONCILER_WORKTREE" || reconciler_fail "the worker's directory is gone"
  unset -v OLDPWD
  if ((${#reconciler_words[@]})); then
    reconciler_program
  else
    reconciler_interpreter "$RECONCILER_RUN_DIR/worker.sh"
  fi
  if [[ -n $reconciler_stdin ]]; then
    [[ $reconciler_stdin != */* && -f $RECONCILER_RUN_DIR/$reconciler_stdin ]] ||
      reconciler_fail "the worker's input $reconciler_stdin was not sent"
    exec <"$RECONCILER_RUN_DIR/$reconciler_stdin"
  fi
  # A question that is there already is not this worker's.
  if [[ -f BLOCKED.md && ! -L BLOCKED.md ]]; then
    reconciler_sum=$(head -c 65536 <BLOCKED.md | sha256sum)
    ln -sfn -- "${reconciler_sum:0:40}" "$RECONCILER_RUN_DIR/question" 2>/dev/null
  fi
  shopt -s execfail
  # Nobody reads this when the supervisor is gone: then the signal for a broken pipe is the end.
  printf 'work\n' >&6
  enter_phase work
  # shellcheck disable=SC2093
  exec "${reconciler_command[@]}" 6>&-
  reconciler_fail "${reconciler_command[0]} cannot be started"
}

# The checks have what the worker had.
reconciler_check() {
  reconciler_settle
  # shellcheck disable=SC1091
  if [[ -n $reconciler_project ]]; then
    . "$RECONCILER_RUN_DIR/project.sh" || reconciler_fail 'project.sh cannot be read'
    reconciler_login
  fi
  builtin cd -- "$RECONCILER_WORKTREE" || reconciler_fail 'the worktree is gone'
  unset -v OLDPWD
  # shellcheck disable=SC1091
  . "$RECONCILER_RUN_DIR/qa.sh" || reconciler_fail 'qa.sh cannot be read'
  qa_check
}
