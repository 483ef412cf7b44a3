#!/usr/bin/env bash
# Installs the system packages that the tests use; says what is missing where it cannot.
set -euo pipefail
declare -A packages=(
  [sshd]=openssh-server [ssh]=openssh-client [git]=git [shellcheck]=shellcheck
  [ip]=iproute2 [iptables]=iptables [flock]=util-linux [setsid]=util-linux [gh]=gh
  [gpg]=gnupg [gpgconf]=gnupg [openssl]=openssl
)
missing=()
for program in "${!packages[@]}"; do
  PATH="$PATH:/usr/sbin:/sbin" command -v "$program" >/dev/null || missing+=("${packages[$program]}")
done
((${#missing[@]})) || exit 0
if [[ $EUID -eq 0 ]] && command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
  echo "the tests need these packages: ${missing[*]} (install them, or run 'make test' as root on Debian)" >&2
  exit 1
fi
