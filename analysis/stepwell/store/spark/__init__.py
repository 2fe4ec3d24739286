"""Exported traces asked through Apache Spark: for stores that outgrow one machine.

The same questions, in DuckDB's dialect, have the same answers as from `ParquetStore`.  Nothing else in Stepwell
imports pyspark or sqlglot; both come with `pip install 'stepwell[spark]'`.
"""

from __future__ import annotations

from stepwell.store.spark.store import SparkStore

__all__ = ["SparkStore"]
