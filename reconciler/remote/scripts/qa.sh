# shellcheck shell=bash disable=SC2154
# The checks of what a worker has done. The stage `qa` sources this in the worktree; what it prints is the log. Each step
# is a line `<step>\t<exit code>\t<seconds>` of qa.tsv, one that is stopped too; the first that fails is the last.

qa_check() {
  local qa_index
  if [[ $reconciler_qa == auto ]]; then
    reconciler_keys=() reconciler_values=()
    qa_detect
    ((${#reconciler_keys[@]})) || echo 'nothing here says how it is tested: no checks were made'
  fi
  for qa_index in "${!reconciler_keys[@]}"; do
    qa_run "${reconciler_keys[qa_index]}" "${reconciler_values[qa_index]}"
  done
}

# Takes the name of a step and its script, which gets what a worker's script gets.
qa_run() {
  local name=${1//[[:cntrl:]]/ } file=$RECONCILER_RUN_DIR/qa.step began ended code rest stopped=
  printf '%s' "$2" >"$file" || reconciler_fail "$file cannot be written: see the disk"
  printf '[reconciler: %s]\n' "$name"
  read -r began rest </proc/uptime
  trap 'stopped=1' TERM # for the step, which gets it, too
  (reconciler_interpreter "$file" && exec "${reconciler_command[@]}" </dev/null)
  code=$?
  [[ -z $stopped ]] || code=143
  read -r ended rest </proc/uptime
  printf '%s\t%d\t%d\n' "$name" "$code" $((${ended%.*} - ${began%.*})) >>"$RECONCILER_RUN_DIR/qa.tsv"
  [[ -z $stopped ]] || exit 143
  trap - TERM
  ((code == 0)) && return
  printf '[reconciler: %s ended with exit code %d]\n' "$name" "$code"
  exit "$code"
}

# What the files in the worktree suggest.
qa_detect() {
  if [[ -f go.mod ]]; then
    qa_step 'go build ./...'
    qa_step 'go vet ./...'
    qa_step 'go test ./...'
  fi
  if [[ -f pyproject.toml || -f setup.cfg || -f tox.ini ]] && qa_has_tests; then
    if python3 -c 'import pytest' 2>/dev/null; then
      qa_step 'python3 -m pytest -q'
    elif [[ -d tests && ! -e tests/__init__.py ]]; then
      qa_step 'python3 -m unittest discover -s tests'
    else
      qa_step 'python3 -m unittest discover'
    fi
  fi
  if [[ -f package.json ]]; then
    if [[ -f package-lock.json || -f npm-shrinkwrap.json ]]; then qa_step 'npm ci'; else qa_step 'npm install'; fi
    # What `npm init` writes where there are no tests is no test.
    node -e 'const said = (require("./package.json").scripts || {}).test || ""
      process.exit(said && !said.includes("no test specified") ? 0 : 1)' && qa_step 'npm test'
  fi
  if [[ -f composer.json ]]; then
    qa_step 'composer install --no-interaction'
    # shellcheck disable=SC2016
    php -r 'exit(isset(json_decode(file_get_contents("composer.json"), true)["scripts"]["test"]) ? 0 : 1);' &&
      qa_step 'composer test'
  fi
  return 0
}

qa_step() {
  reconciler_keys+=("$1")
  reconciler_values+=("$1")
}

qa_has_tests() {
  [[ -n $(find . -maxdepth 4 \( -name '.?*' -o -name node_modules -o -name venv \) -prune -o \
    -type f \( -name 'test*.py' -o -name '*_test.py' \) -print -quit) ]]
}
