# shellcheck shell=bash disable=SC2154
# Puts the gate where it belongs; the values it needs stand above. A second time it renews what is there.
set -euo pipefail
umask 077
folder=$HOME/$place
mkdir -p -- "$folder/allowed"
[[ -z $only ]] || find "$folder/allowed" -mindepth 1 ! -name "$version" -delete

# Every file is replaced in one step: calls come in meanwhile.
put() {
  printf %s "$2" >"$folder/.new"
  mv -fT -- "$folder/.new" "$folder/$1"
}
put root "$root"
put prelude "$prelude"
put fleet_id "$fleet_id"
put "allowed/$version" "$allowed"
put gate "$gate"
echo "the gate of $host is in ~/$place: it allows the scripts of $(cd "$folder/allowed" && echo *)"
[[ -n $key ]] || exit 0

read -r type blob _ <<<"$key"
file=$HOME/.ssh/authorized_keys
mkdir -p -- "$HOME/.ssh"
[[ -e $file ]] || : >"$file"
kept=
while IFS= read -r line || [[ -n $line ]]; do
  if [[ " $line " == *" $blob "* ]]; then
    [[ $line == "$type $blob"* || $line == 'restrict,command="exec bash --noprofile --norc -p ~/.reconciler-gate/'* ]] || {
      echo "this key has options of its own in $file: put there by hand: restrict,command=\"$command\"" >&2
      exit 1
    }
  else
    kept+=$line$'\n'
  fi
done <"$file"
printf '%srestrict,command="%s" %s\n' "$kept" "$command" "$key" >"$file.new"
mv -fT -- "$file.new" "$(readlink -f -- "$file")"
echo "the key ${blob: -12} has its line in $file: $mode alone, no shell any more, if sshd reads that file"
