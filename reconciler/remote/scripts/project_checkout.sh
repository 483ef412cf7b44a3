# shellcheck shell=bash disable=SC2034,SC2154
# The checkout of a project: one clone, which all of its runs on this host share.

# Git in the checkout that is at hand, and in no repository around it.
in_checkout() {
  run_git -C "$made" --git-dir="$made/.git" --work-tree="$made" "$@"
}

ask_checkout() {
  ask_git -C "$made" --git-dir="$made/.git" --work-tree="$made" "$@"
}

# Fetches; workers fetch, too, at any time, and then one of both has to wait.
project_fetch() {
  local try
  for try in 1 2 3 4 5; do
    in_checkout fetch --quiet --no-recurse-submodules --no-write-fetch-head "$@" && return
    [[ $SAID == *@(.lock|'cannot lock ref'|'unable to update local ref')* ]] || return
    sleep "$try"
  done
  return 1
}

# Makes or verifies the checkout, fetches, and puts it onto the base branch.
project_checkout() {
  local made=$checkout key
  local asked="$url $fork $base $repository"
  if [[ -e $checkout || -L $checkout ]]; then
    [[ -d $checkout/.git && ! -L $checkout ]] && in_checkout rev-parse --git-dir ||
      reconciler_fail "$checkout is not a git repository: move it away, and the next run clones the project anew"
    for key in upstream origin; do
      ask_checkout config --get "remote.$key.url" >/dev/null ||
        reconciler_fail "$checkout has no remote $key: add it with \`git remote add $key URL\`, or move the checkout away"
    done
    distrust_git -C "$checkout" --git-dir="$checkout/.git"
    project_unlock
  else
    made=$checkout.new
    rm -rf -- "$made" "$place/fetched"
    run_git init --quiet -- "$made" && in_checkout config gc.auto 0 && in_checkout config maintenance.auto false &&
      in_checkout config core.filesRefLockTimeout 5000 && in_checkout config core.packedRefsTimeout 5000 ||
      reconciler_fail "git cannot make $made: $(said)"
  fi
  : >"$place/fetched.new" || reconciler_fail "$place cannot be written: see its disk"
  # Somebody's complete fetch that began after this run was claimed serves as well.
  if [[ -s $place/fetched && $place/fetched -nt $RECONCILER_RUN_DIR/settings && $place/fetched.new -nt $place/fetched &&
    $(<"$place/fetched") == "$asked" ]]; then
    project_known_base
  else
    project_update
    printf '%s\n' "$asked" >"$place/fetched.asked" && touch -r "$place/fetched.new" -- "$place/fetched.asked"
  fi
  project_reset
  [[ $made == "$checkout" ]] || mv -T -- "$made" "$checkout" || reconciler_fail "$checkout cannot be made: see its disk"
  [[ ! -f $place/fetched.asked ]] || mv -fT -- "$place/fetched.asked" "$place/fetched"
  rm -f -- "$place/fetched.new"
  made=$root/_/projects/.$project key=$origin
  [[ $key != "$url" ]] || key=
  printf '%s=%s\n' checkout "$checkout" fork_url "$key" repo_url "$repository" git_url "$url" base "$base" \
    updated "$(date -u +%Y-%m-%dT%H:%M:%SZ)" >"$made" && mv -fT -- "$made" "$root/_/projects/$project" ||
    reconciler_fail "$root/_/projects/$project cannot be written: see its disk"
}

# A lock that a killed git left would stand in everybody's way for ever. One that stays ten seconds, and that no process
# has open, is nobody's.
project_unlock() {
  local line file tick now
  local -A kept=() found=()
  for ((tick = 0; tick < 60; tick++)); do
    found=()
    while IFS= read -r line; do
      [[ tick -eq 0 || -n ${kept[$line]-} ]] && found[$line]=1
    done < <(
      find "$checkout/.git" -maxdepth 1 -name '*.lock' -type f -printf '%T@ %i %p\n'
      find "$checkout/.git/refs" -ignore_readdir_race -name '*.lock' -type f -printf '%T@ %i %p\n'
    )
    kept=()
    printf -v now '%(%s)T' -1
    for line in "${!found[@]}"; do
      file=${line#* } file=${file#* }
      if ((now - ${line%%.*} < 10)); then
        kept[$line]=1
      elif ! project_opened "$file"; then
        rm -f -- "$file"
      fi
    done
    ((${#kept[@]})) || break
    sleep 0.2
  done
  find "$checkout/.git/objects/pack" -maxdepth 1 -name 'tmp_*' -type f -mmin +1440 -delete
  return 0
}

project_opened() {
  local descriptor
  for descriptor in /proc/[0-9]*/fd/*; do
    [[ $descriptor -ef $1 ]] && return 0
  done
  return 1
} 2>/dev/null

# Remotes, fetches and the base branch, as the remote has it now.
project_update() {
  local key value text try
  project_origin
  for key in "upstream $url" "origin $origin"; do
    value=${key#* } key=${key%% *}
    # Both remotes are what the project says; a program that a worker named there would run here.
    for text in uploadpack vcs; do
      ! ask_checkout config --local "remote.$key.$text" >/dev/null || in_checkout config --unset-all "remote.$key.$text"
    done
    text=$(ask_checkout config --get-all "remote.$key.url") && [[ $text == "$value" ]] && continue
    rm -f -- "$place/fetched"
    in_checkout config --replace-all "remote.$key.url" "$value" &&
      in_checkout config --replace-all "remote.$key.fetch" "+refs/heads/*:refs/remotes/$key/*" ||
      reconciler_fail "git cannot set the remote $key: $(said)"
  done
  project_fetch --prune upstream '+refs/heads/*:refs/remotes/upstream/*' ||
    reconciler_fail "git cannot fetch from gitUrl $url: $(said) (see that this host may read it)"
  if [[ -z $base ]]; then
    text=$(ask_checkout ls-remote --symref upstream HEAD) || reconciler_fail "git cannot ask $url for its HEAD"
    [[ $text =~ ref:\ refs/heads/([^[:space:]]+)[[:space:]]+HEAD ]] && base=${BASH_REMATCH[1]}
  fi
  if [[ -z $base ]]; then
    text=$(ask_checkout for-each-ref --format='%(refname:lstrip=3)' refs/remotes/upstream)
    text=${text#HEAD"$NL"}
    [[ -n $text && $text != HEAD ]] ||
      reconciler_fail "the repository $url has no branch yet: push a first commit to it"
    [[ $text != *"$NL"* ]] ||
      reconciler_fail "the HEAD of $url names no branch: set baseBranch of the Project $project"
    base=$text
  fi
  ask_checkout rev-parse --quiet --verify "refs/remotes/upstream/$base^{commit}" >/dev/null ||
    reconciler_fail "the branch $base is not in $url: set baseBranch of the Project $project to one that is"
  # GitHub needs a moment until a fork that was just made can be read.
  for ((try = 0; try < 20; try++)); do
    project_fetch --prune --no-tags origin '+refs/heads/*:refs/remotes/origin/*' && break
    [[ -n $fresh_fork ]] && ((try < 19)) ||
      reconciler_fail "git cannot fetch from $origin, where work is pushed: $(said) (see that this host may read it)"
    sleep 3
  done
  in_checkout symbolic-ref refs/remotes/upstream/HEAD "refs/remotes/upstream/$base"
  in_checkout symbolic-ref refs/remotes/origin/HEAD "refs/remotes/origin/$base"
}

# What that fetch found out.
project_known_base() {
  origin=$(ask_checkout config --get remote.origin.url)
  [[ -n $base ]] || base=$(ask_checkout symbolic-ref --short refs/remotes/upstream/HEAD)
  base=${base#upstream/}
}

# The base branch as upstream has it; where a worker sits on it, its branch is left alone.
project_reset() {
  local onto=(-B "$base") entry text
  for entry in "$made"/.git/worktrees/*/{HEAD,rebase-merge/head-name,rebase-apply/head-name}; do
    [[ -f $entry ]] && IFS= read -r text <"$entry" && [[ ${text#ref: } == "refs/heads/$base" ]] && onto=(--detach)
  done
  project_onto || { onto=(--detach) && project_onto; } || { rm -f -- "$made/.git/index" && project_onto; } ||
    reconciler_fail "git cannot put $checkout onto $base: $(said)"
  in_checkout clean -fdq || printf 'git clean: %s\n' "$(said)"
  return 0
}

project_onto() {
  local words=(--quiet --force)
  [[ ${onto[0]} != -B ]] || words+=(--no-track)
  in_checkout checkout "${words[@]}" "${onto[@]}" "refs/remotes/upstream/$base"
}
