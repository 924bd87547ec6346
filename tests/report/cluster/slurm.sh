#!/usr/bin/env bash
# A SLURM of one node on this machine, for the tests of jobs: `slurm.sh start` and `slurm.sh stop`, as root on Debian.
set -euo pipefail
if [ "$1" = stop ]; then
  for daemon in slurmd slurmctld munge/munged; do kill "$(cat /run/$daemon.pid)" || true; done
  exit
fi
[ "$(id -u)" = 0 ] || { echo "it is started by root only" >&2; exit 1; }
if ! command -v slurmctld >/dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends slurm-wlm munge >/dev/null
fi
name=$(hostname -s)
grep -qw "$name" /etc/hosts || echo "127.0.0.1 $name" >>/etc/hosts
mkdir -p /etc/slurm /run/munge /var/spool/slurm/controller /var/spool/slurm/node
chown munge: /run/munge
cat >/etc/slurm/slurm.conf <<END
ClusterName=tests
SlurmctldHost=$name
SlurmUser=root
AuthType=auth/munge
ProctrackType=proctrack/linuxproc
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd.pid
SlurmdSpoolDir=/var/spool/slurm/node
StateSaveLocation=/var/spool/slurm/controller
NodeName=$name CPUs=$(nproc) RealMemory=$(awk '/MemTotal/ { print int($2 / 1280) }' /proc/meminfo)
PartitionName=tests Nodes=ALL Default=YES
END
su -s /bin/sh munge -c munged
slurmctld
slurmd
for _ in $(seq 30); do
  if sinfo -h -o %T | grep -q idle; then exit; fi
  sleep 1
done
echo "its node is not idle after 30 seconds" >&2
exit 1
