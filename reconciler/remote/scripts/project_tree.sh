# shellcheck shell=bash disable=SC2034,SC2154
# The worktree of a run.

project_worktree() {
  if find_admin "$checkout" "$path" && half_made; then
    in_checkout worktree remove --force --force "$path" || rm -rf -- "$path" "$ADMIN"
  fi
  if [[ $mode != fresh ]] && find_admin "$checkout" "$path" && [[ -d $path && ! -L $path ]]; then
    # The run that worked here has ended: a lock that is left is nobody's.
    rm -f -- "$ADMIN"/*.lock
    project_follow
    return
  fi
  [[ ! -e $path && ! -L $path ]] || reconciler_fail "$path is there already and not to be used: move it away"
  if [[ $mode == fresh ]]; then
    project_fresh
  elif ask_checkout rev-parse --quiet --verify "refs/heads/$branch" >/dev/null; then
    in_checkout worktree add --quiet "$path" "$branch" || project_no_tree
    project_follow
  elif project_fetch --no-tags origin "+refs/heads/$branch:refs/remotes/origin/$branch"; then
    in_checkout worktree add --quiet --no-track -b "$branch" "$path" "refs/remotes/origin/$branch" || project_no_tree
  elif [[ $SAID != *"couldn't find remote ref"* ]]; then
    reconciler_fail "git cannot fetch the branch $branch from $origin: $(said)"
  elif [[ $mode == resume ]]; then
    reconciler_fail "the branch $branch is neither on this host nor in $origin any more, so there is nothing to go on with: give the task a new rerun value"
  else
    project_fresh
  fi
}

# What was pushed onto its branch meanwhile, from another host or by a person, comes along where nothing stands against it.
project_follow() {
  local theirs=refs/remotes/origin/$branch
  [[ $(ask_git -C "$path" symbolic-ref --quiet HEAD) == "refs/heads/$branch" ]] &&
    ask_checkout rev-parse --quiet --verify "$theirs^{commit}" >/dev/null || return 0
  ask_git -C "$path" merge-base --is-ancestor "$theirs" HEAD ||
    run_git -C "$path" merge --quiet --ff-only "$theirs" ||
    printf 'the worktree stays behind origin/%s: %s\n' "$branch" "$(said)"
}

project_no_tree() {
  reconciler_fail "git cannot make the worktree $path: $(said)"
}

# From the base branch, or from what the task names.
project_fresh() {
  local from=refs/remotes/upstream/$base what="the branch $base" name=${start#*:} commit old
  case $start in
    branch:*) from=refs/remotes/upstream/$name what="the branch $name" ;;
    tag:*) from=refs/tags/$name what="the tag $name" && project_start "+$from:$from" ;;
    pull:*)
      from=refs/reconciler/pull/$name what="the pull request $name"
      project_start "+refs/pull/$name/head:$from"
      ;;
  esac
  commit=$(ask_checkout rev-parse --quiet --verify "$from^{commit}") ||
    reconciler_fail "$what is not in $url: correct the task's base"
  # What somebody left on a branch of that name stays within reach.
  old=$(ask_checkout rev-parse --quiet --verify "refs/heads/$branch") &&
    [[ -n $(ask_checkout rev-list -n 1 "$old" --not "$commit" --remotes) ]] &&
    in_checkout update-ref "refs/reconciler/wip/$tree.before" "$old"
  in_checkout worktree add --quiet --no-track -B "$branch" "$path" "$commit" || project_no_tree
}

# What is no branch is fetched when it is needed.
project_start() {
  project_fetch --no-tags upstream "$1" || [[ $SAID == *"couldn't find remote ref"* ]] ||
    reconciler_fail "git cannot fetch $what from $url: $(said)"
  [[ $SAID != *"couldn't find remote ref"* ]] || reconciler_fail "$what is not in $url: correct the task's base"
}
