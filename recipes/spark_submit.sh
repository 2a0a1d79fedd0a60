#!/usr/bin/env bash
# Labels the parquet files of a folder with Spark:
#   PYSPARK_PYTHON=/opt/venv/bin/python recipes/spark_submit.sh --master spark://HOST:7077 -- BUNDLE TEXTS LABELLED
# What stands before -- are options of spark-submit. PYSPARK_PYTHON is the Python with textapp, on all machines.
# Lines and progress: the page of Spark that it names. A job that was killed leaves LABELLED without _SUCCESS in it:
# delete that folder and submit again.
set -euo pipefail
options=()
while [ "$1" != -- ]; do
    options+=("$1")
    shift
done
shift
spark-submit "${options[@]}" --conf spark.task.maxFailures=4 "$(dirname "$0")/spark_predict.py" "$@"
