# shellcheck shell=bash disable=SC2034,SC2154
# Git as scripts call it: nobody is asked, no hook runs, nothing is tidied up, whatever the caller's environment says.

# Turns into git. In a subshell always: variables that would lead it to another repository go, and so do descriptors
# that a helper which it leaves behind (a credential cache, say) would keep: locks, above all.
become_git() {
  unset -v GIT_DIR GIT_WORK_TREE GIT_COMMON_DIR GIT_INDEX_FILE GIT_PREFIX GIT_NAMESPACE GIT_OBJECT_DIRECTORY \
    GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_SHALLOW_FILE GIT_TRACE GIT_EXTERNAL_DIFF
  export LC_ALL=C GIT_TERMINAL_PROMPT=0 GIT_ALLOW_PROTOCOL=file:git:http:https:ssh
  # For reflogs, where none is configured: git would ask the network for this machine's full name, and wait.
  export EMAIL=${EMAIL:-reconciler@localhost}
  [[ -z ${USE_INDEX-} ]] || export GIT_INDEX_FILE=$USE_INDEX
  [[ -z ${PROJECT_LOCK-} ]] || exec {PROJECT_LOCK}>&-
  exec git -c core.hooksPath=/dev/null -c core.fsmonitor=false -c gc.auto=0 -c maintenance.auto=false \
    -c core.filesRefLockTimeout=10000 -c core.packedRefsTimeout=10000 -c worktree.useRelativePaths=false \
    -c http.lowSpeedLimit=1 -c http.lowSpeedTime=600 ${DISTRUST[@]+"${DISTRUST[@]}"} "$@" </dev/null 6>&- 8>&- 9>&-
}

# What git prints; what it complains about goes the caller's way.
ask_git() {
  (become_git "$@")
}

# Does something with git: SAID is all that it said.
run_git() {
  SAID=$(become_git "$@" 2>&1)
}

# Sets DISTRUST to options against programs that a repository's own configuration has git start, since workers write it;
# what the host's user has configured holds. Takes the words that lead git there.
distrust_git() {
  local name value where
  DISTRUST=()
  while IFS= read -r -d '' name; do
    value=
    [[ $name != *.required ]] || value=false
    for where in --system --global; do
      value=$(ask_git config "$where" --get "$name" || printf %s "$value")
    done
    DISTRUST+=(-c "$name=$value")
    [[ -n $value ]] || DISTRUST+=(-c "${name%.*}.required=false")
  done < <(
    for where in --local --worktree; do
      ask_git "$@" config "$where" --includes --name-only -z --get-regexp \
        '^filter\..*\.(clean|smudge|process|required)$' 2>/dev/null
    done
  )
}

# What git said, as the end of a sentence; logins in URLs are left out. Of much, the end says most.
said() {
  local text=${SAID//"$NL"/ }
  text=${text//@@@@/}
  while [[ $text =~ ^(.*://)[^/@[:space:]]+@(.*)$ ]]; do text=${BASH_REMATCH[1]}${BASH_REMATCH[2]}; done
  text=${text//[[:cntrl:]]/ }
  ((${#text} <= 700)) || text="${text:0:200} ... ${text:${#text}-490}"
  printf '%s' "$text"
}

# Sets ADMIN to what the checkout $1 keeps about its worktree at the path $2.
find_admin() {
  local entry place
  for entry in "$1"/.git/worktrees/*/gitdir; do
    [[ -f $entry ]] && IFS= read -r place <"$entry" || continue
    [[ $place == /* ]] || place=${entry%gitdir}$place
    [[ $place == "$2/.git" || $place -ef $2/.git ]] || continue
    ADMIN=${entry%/gitdir}
    return 0
  done
  ADMIN=
  return 1
}

# Was git killed while it made this worktree? Then nobody has ever worked in it.
half_made() {
  [[ -f $ADMIN/locked && $(<"$ADMIN/locked") == initializing ]]
}

# Forgets the worktrees whose directories are gone, also one whose making was broken off.
prune_worktrees() {
  local entry place
  for entry in "$1"/.git/worktrees/*/locked; do
    [[ -f $entry ]] && IFS= read -r place <"${entry%locked}gitdir" || continue
    [[ $place != /* || -e $place ]] || rm -f -- "$entry"
  done
  run_git -C "$1" --git-dir="$1/.git" worktree prune
}
