#!/usr/bin/env bash
# Installs Slurm, which is measured beside us; where that cannot be, its figures say `not installed`.
set -euo pipefail
PATH="$PATH:/usr/sbin:/sbin"
if command -v slurmctld slurmd sbatch munged >/dev/null; then exit 0; fi
if [[ $EUID -ne 0 ]] || ! command -v apt-get >/dev/null; then
  echo 'Slurm is not measured: it is installed as root on Debian only' >&2
  exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends slurmctld slurmd slurm-client munge >/dev/null ||
  echo 'Slurm is not measured: it could not be installed' >&2
