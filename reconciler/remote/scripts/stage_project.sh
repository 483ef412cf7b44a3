# shellcheck shell=bash disable=SC2034,SC2154
# What the stages of a run do when it is one of a project; they source this with project.sh.

# Checkout and worktree of a project, and its setup. All it says goes into the supervisor's log.
reconciler_project() {
  local WORKTREE_PATH=
  project_prepare || reconciler_fail "preparing the worktree ended with exit code $?"
  [[ -n $WORKTREE_PATH && -d $WORKTREE_PATH && $WORKTREE_PATH -ef $RECONCILER_WORKTREE ]] ||
    reconciler_fail "there is no worktree $RECONCILER_WORKTREE"
  [[ ! -f $RECONCILER_RUN_DIR/setup.sh ]] || reconciler_setup
  # The checks get it, too.
  [[ -z $reconciler_qa ]] || printf '%s\n' "${RECONCILER_BASE_BRANCH-}" >"$RECONCILER_RUN_DIR/base"
}

# The project's setup, once in every worktree; what it leaves running stays, as the worker may need it.
reconciler_setup() {
  local directory code drain waited=0
  builtin cd -- "$RECONCILER_WORKTREE" || reconciler_fail "the worktree $RECONCILER_WORKTREE is gone"
  directory=$(ask_git rev-parse --git-dir) || reconciler_fail "$RECONCILER_WORKTREE is not a worktree of git"
  [[ $directory == /* ]] || directory=$RECONCILER_WORKTREE/$directory
  [[ ! -e $directory/reconciler-setup ]] || return 0
  enter_phase setup
  reconciler_interpreter "$RECONCILER_RUN_DIR/setup.sh"
  exec 4> >(builtin cd -- "$RECONCILER_RUN_DIR" && exec >/dev/null && drain supervisor.log 4096)
  drain=$!
  "${reconciler_command[@]}" </dev/null >&4 2>&4 4>&-
  code=$?
  exec 4>&-
  while [[ -n $drain && -e /proc/$drain ]] && ((waited++ < 40)); do sleep 0.05; done
  ((code == 0)) || reconciler_fail "setup ended with exit code $code"
  : >"$directory/reconciler-setup" || reconciler_fail "$directory cannot be written: see the disk"
}

# What preparing a project has exported for the worker, once more for its checks.
reconciler_login() {
  local NL=$'\n' SAID='' slug='' forge='' root=${RECONCILER_RUN_DIR%/*/*/*}
  local url=${SETTING[git_url]-} repository=${SETTING[repo_url]-} PROJECT_LOCK='' USE_INDEX=''
  project_slug
  project_login
  export RECONCILER_PROJECT=$reconciler_project RECONCILER_BRANCH=${SETTING[branch]-} RECONCILER_BASE_BRANCH
  IFS= read -r RECONCILER_BASE_BRANCH <"$RECONCILER_RUN_DIR/base"
}
