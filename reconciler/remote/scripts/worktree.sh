# shellcheck shell=bash disable=SC2034,SC2154
# Takes worktrees away; what was not pushed is kept as refs/reconciler/wip/<name> of the checkout first.
# The work itself is done by a process of its own, under the project's lock; whoever asks waits a moment for it.

PATIENCE=100 # fiftieths of a second, for all removals of a call together

worktree() {
  local path=$1 name=${1##*/} places=${1%/*} remover earlier='' failed
  failed=$places/.$name.failed
  if [[ ! $path =~ ^[a-z0-9][a-z0-9-]{0,62}/worktrees/[a-z0-9][a-z0-9-]*-[0-9a-f]{8}-[1-9][0-9]{0,8}$ ]]; then
    reply "failed $path is no place of a worktree"
  elif [[ -L ${path%%/*} || -L $places || -L ${path%%/*}/checkout ]]; then
    reply "failed $places or the checkout is a symbolic link: nothing is removed behind it"
  elif [[ ! -e $path && ! -L $path ]] && ! find_admin "$PWD/${path%%/*}/checkout" "$PWD/$path"; then
    rm -f -- "$failed" "$places/.$name.removing"
    reply 'already it is not there'
  elif tree_in_use "$path"; then
    reply "active the run $USER_OF_TREE works in it and has not ended"
  elif ! { mkdir -p -- "$places" && exec 9<>"$places/.$name.removing"; } 2>/dev/null; then
    reply "failed $places cannot be written: see its owner and its disk"
  elif ! flock -n 9; then
    release_lock
    reply 'going an earlier call removes it'
  else
    hash -- git 2>/dev/null || prelude_path
    [[ ! -f $failed ]] || earlier=$(<"$failed")
    rm -f -- "$failed"
    # shellcheck disable=SC2016,SC2046
    detach -c "$(declare -p NL; declare -f $(compgen -A function | grep -E '^tree_|_git$') said half_made find_admin prune_worktrees)"'
      tree_remove "$@"' remove "$PWD" "$path" "$NONCE" &
    remover=$!
    release_lock
    while [[ -e /proc/$remover && -e $places/.$name.removing ]] && ((PATIENCE-- > 0)); do sleep 0.02; done
    if [[ -f $failed ]]; then
      reply "failed $(<"$failed")"
    elif [[ ! -e $path && ! -L $path && ! -e $places/.$name.removing ]]; then
      reply 'removed its branch stays in the checkout'
    elif [[ ! -e /proc/$remover ]]; then
      reply 'failed what removes it was ended: try again'
    elif [[ -n $earlier ]]; then
      reply "failed $earlier (it is being tried again)"
    else
      reply 'removing its work is being saved'
    fi
  fi
}

# Does a run that has not ended work in it? Sets USER_OF_TREE to that run.
tree_in_use() {
  local name=${1##*/} link task
  task=${name%-*-*}
  while IFS= read -r -d '' link; do
    link=${link%/worker}
    USER_OF_TREE=${link##*/}
    [[ ${USER_OF_TREE%-*-*} == "$task" && ! -L $link/result && $(readlink -- "$link/started") != void ]] && return
  done < <(find "${1%%/*}/runs" -mindepth 2 -maxdepth 2 -type l -name worker -lname "*;w=${name#"$task"-}" -print0)
  return 1
} 2>/dev/null

# The whole removal, in a process of its own whose descriptor 9 says that it is at work. Killed at any point, the next
# one completes it.
tree_remove() {
  local path=$2 nonce=$3 project=${2%%/*} name=${2##*/} checkout=$1/${2%%/*}/checkout
  local SAID='' ADMIN='' PROJECT_LOCK='' USE_INDEX='' WHY='' places=${2%/*}
  cd -- "$1" || exit
  if { exec {PROJECT_LOCK}<>"$project/lock"; } && flock "$PROJECT_LOCK"; then
    tree_take
  else
    WHY="$project/lock cannot be locked: see its owner and its disk"
  fi
  if [[ -n $WHY ]]; then
    printf '%s\n' "$WHY" >"$places/.$name.failed.new" && mv -fT -- "$places/.$name.failed.new" "$places/.$name.failed"
  fi
  rm -f -- "$places/.$name.removing"
  exec {PROJECT_LOCK}>&- 9>&-
  [[ ! -e _/trash/tree.$name.$nonce ]] || rm -rf -- "_/trash/tree.$name.$nonce" ||
    { chmod -R u+rwX -- "_/trash/tree.$name.$nonce" && rm -rf -- "_/trash/tree.$name.$nonce"; }
  # Nobody else ever tidies up: by git's own measure of when that is worth it, and without the lock.
  [[ ! -d $checkout ]] || run_git -C "$checkout" -c gc.auto=6700 -c gc.autoDetach=false gc --auto --quiet
}

# Saves and removes; WHY says why it could not be.
tree_take() {
  # A run may have come meanwhile: it prepares under the lock that is held here.
  if tree_in_use "$path"; then
    WHY="the run $USER_OF_TREE works in it and has not ended"
    return
  elif [[ -L $path || (-e $path && ! -d $path) ]]; then
    WHY="$PWD/$path is no directory: look at it, and remove it by hand"
    return
  elif [[ -d $path && ! -d $path/.git ]] && find_admin "$checkout" "$PWD/$path"; then
    half_made || tree_save_all
    [[ -z $WHY ]] || return
    SAID=$(mv -T -- "$path" "_/trash/tree.$name.$nonce" 2>&1) || { WHY=$(said) && return; }
  elif [[ -d $path ]] && ! rmdir -- "$path" 2>/dev/null; then
    WHY="$PWD/$path is no worktree of $checkout, so nothing of it can be saved: move away what you need, then remove it by hand"
    return
  fi
  prune_worktrees "$checkout" || [[ ! -d $checkout ]] || WHY="git cannot forget the worktree: $(said)"
}

# Its own work, and that of every repository below it, worktrees of the same checkout among them.
tree_save_all() {
  local found admin count=0 unborn=()
  while IFS= read -r -d '' found; do
    found=${found%/.git}
    admin=$(ask_git -C "$found" rev-parse --absolute-git-dir 2>/dev/null) || continue
    # What is no repository, but lies in one, is part of that.
    [[ $(ask_git -C "$found" rev-parse --show-toplevel 2>/dev/null) -ef $found ]] || continue
    ask_git -C "$found" rev-parse --quiet --verify HEAD >/dev/null || unborn+=(":(exclude,top,literal)${found#"$PWD/$path/"}")
    tree_save "$admin" "$found" "refs/reconciler/wip/$name.$((++count))"
    [[ -z $WHY ]] || return
  done < <(find "$PWD/$path" -mindepth 2 -name .git -prune -print0)
  find_admin "$checkout" "$PWD/$path"
  tree_save "$ADMIN" "$PWD/$path" "refs/reconciler/wip/$name" "${unborn[@]}"
}

# Keeps what is in a worktree (git directory $1, place $2) and not pushed, as the ref $3 of the checkout; $4… is left out.
tree_save() {
  local admin=$1 place=$2 ref=$3 head tree old commit own='' parents=()
  shift 3
  local USE_INDEX=$admin/reconciler.index
  local -a DISTRUST=()
  distrust_git -C "$place" --git-dir="$admin"
  rm -f -- "$admin"/*.lock "$USE_INDEX"*
  head=$(tree_ask rev-parse --quiet --verify 'HEAD^{commit}') && parents=(-p "$head")
  # The real index knows what has not changed, what is sparse, and where a merge stands.
  if [[ -f $admin/index ]]; then
    cp -- "$admin/index" "$USE_INDEX"
  elif [[ -n $head ]]; then
    tree_git read-tree "$head"
  fi
  tree_git -c core.safecrlf=false add --all -- . "$@" && tree=$(tree_ask write-tree) && [[ -n $tree ]]
  if (($?)); then
    WHY="what is in $place cannot be saved, so nothing was removed: $(said)"
    rm -f -- "$USE_INDEX"*
    return
  fi
  rm -f -- "$USE_INDEX"*
  commit=$head
  [[ $tree == "$(tree_ask rev-parse --quiet --verify 'HEAD^{tree}')" ]] || commit=
  [[ -z $commit || -n $(tree_ask rev-list -n 1 "$commit" --not --remotes) ]] || return 0
  # An empty repository has nothing to lose.
  [[ -n $head || $tree != "$(tree_ask hash-object -t tree /dev/null)" ]] || return 0
  [[ $(tree_ask rev-parse --git-common-dir) -ef $checkout/.git ]] || own=1
  # What was kept under this name before stays in reach, unless it is the same: then the removal was broken off there.
  if old=$(ask_git -C "$checkout" rev-parse --quiet --verify "$ref^{commit}"); then
    [[ $old != "$commit" ]] || return 0
    [[ $(ask_git -C "$checkout" rev-parse "$old^{tree}" "$old^1" 2>/dev/null) != "$tree$NL$head" ]] || return 0
    if [[ -n $own ]]; then
      ref+=.$nonce
    elif [[ -z $commit ]] || ! tree_ask merge-base --is-ancestor "$old" "$commit"; then
      commit='' parents+=(-p "$old")
    fi
  fi
  if [[ -z $commit ]]; then commit=$(tree_commit) || commit=; fi
  if [[ -z $commit ]] || ! tree_git update-ref "$ref" "$commit"; then
    WHY="what is in $place cannot be saved, so nothing was removed: ${SAID:+$(said)}"
  elif [[ -n $own ]] && ! run_git -C "$checkout" fetch --quiet --no-tags --no-write-fetch-head "$place" "+$ref:$ref"; then
    WHY="the repository $place cannot be saved, so nothing was removed: $(said)"
  fi
}

tree_git() {
  run_git -C "$place" --git-dir="$admin" --work-tree="$place" "$@"
}

tree_ask() {
  ask_git -C "$place" --git-dir="$admin" --work-tree="$place" "$@"
}

# Makes the commit, by somebody if nobody else is configured.
tree_commit() {
  local message="wip: $name${place#"$PWD/$path"}

What the run $name had not pushed when its worktree was removed."
  tree_ask var GIT_COMMITTER_IDENT >/dev/null 2>&1 && tree_ask var GIT_AUTHOR_IDENT >/dev/null 2>&1 ||
    local -x GIT_AUTHOR_NAME=reconciler GIT_AUTHOR_EMAIL=reconciler@localhost \
      GIT_COMMITTER_NAME=reconciler GIT_COMMITTER_EMAIL=reconciler@localhost
  tree_ask commit-tree "$tree" "${parents[@]}" -m "$message"
}
