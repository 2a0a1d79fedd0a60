"""Labels the parquet files of a folder with Spark, see spark_submit.sh: BUNDLE TEXTS LABELLED."""

import sys

from pyspark.sql import SparkSession

from textapp.integrations.spark import predict_udf

bundle, texts, labelled = sys.argv[1:]
with SparkSession.builder.appName("textapp").getOrCreate() as spark:
    predicted = predict_udf(bundle)("text")
    spark.read.parquet(texts).withColumn("p", predicted).select("*", "p.*").drop("p").write.parquet(labelled)
