"""Labels the parquet files of a folder on a Ray cluster.

    ray job submit -- python /shared/recipes/ray_predict.py /shared/bundle /shared/texts /shared/labelled

All machines see the three paths. Each of the actors opens the bundle once.
"""

import sys

import ray

from textapp.integrations.ray import BatchPredictor

bundle, texts, labelled = sys.argv[1:]
ray.init()
ray.data.read_parquet(texts).map_batches(
    BatchPredictor,
    fn_constructor_args=(bundle, "text"),
    batch_size=1024,
    num_cpus=0.5,  # the reading needs CPUs too
    compute=ray.data.ActorPoolStrategy(min_size=1, max_size=max(1, int(ray.cluster_resources()["CPU"]))),
).write_parquet(labelled)
