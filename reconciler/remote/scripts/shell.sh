# shellcheck shell=bash disable=SC2088 # `~/` is expanded here by hand
# What `exec` starts on a host: a shell, or a command, in a directory of the workspace, after the host's prelude.
# Its words come base64-encoded (`-`: an empty one): root, prelude, directory, then those of the command.
words=()
for word in "$@"; do
  if [[ $word == - ]]; then
    word=
  else
    word=$(printf %s "$word" | base64 -d; printf .)
    word=${word%.}
  fi
  words+=("$word")
done
root=${words[0]} prelude=${words[1]} directory=${words[2]}
set -- "${words[@]:3}"
if [[ $root == '~' || $root == '~/'* ]]; then root=$HOME${root#'~'}; fi
if ! cd -P -- "$root/$directory" 2>/dev/null; then
  echo "reconciler: $root/$directory is not on this host (any more)" >&2
  exit 1
fi
unset -v code word words root directory
eval "$prelude"
unset -v prelude
if (($#)); then
  (exec -- "$@") # in a shell below: a command that a signal ends is then told by its exit code, over ssh too
  exit
fi
exec "${SHELL:-bash}"
