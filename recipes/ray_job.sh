#!/usr/bin/env bash
# The same command of textapp as several jobs of a Ray cluster, each with CPUS CPUs, which share one search:
#   recipes/ray_job.sh 4 tune classifier --train /shared/train.tsv --minutes 60 --out /shared/runs/tuned
# With the number 1, any other command:
#   CPUS=4 recipes/ray_job.sh 1 train classifier --train /shared/train.tsv --out /shared/runs/large --workers 4
# RAY_API_SERVER_ADDRESS is the cluster's dashboard. Lines: ray job logs --follow NAME. Submitted again, it goes on.
set -euo pipefail
count=$1
shift
name="textapp-$(date +%Y%m%d-%H%M%S)"
for ((number = 1; number <= count; number++)); do
    ray job submit --no-wait --submission-id "$name-$number" --entrypoint-num-cpus "${CPUS:-1}" -- textapp "$@"
done
