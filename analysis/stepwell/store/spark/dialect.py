"""From DuckDB's SQL to Spark's, with the same answers.

sqlglot translates functions and syntax.  What it leaves to Spark's own rules is written out here:

- Spark has no unsigned and no 128-bit integers: each becomes the next type that holds all its values.
- DuckDB sums integers in 128 bits, Spark in 64 and fails beyond: sums are made of decimals, which is slower, unless
  the query casts them to a 64-bit integer at once.
- / is always a division of floating-point numbers.
- Tables of the schema `stored` are called stored_NAME: temporary views of Spark have no schema.
"""

from __future__ import annotations

from typing import Any

from sqlglot import exp, parse_one

_TYPES = {
    "UTINYINT": "SMALLINT",
    "USMALLINT": "INT",
    "UINT": "BIGINT",
    "UBIGINT": "DECIMAL(20, 0)",
    "INT128": "DECIMAL(38, 0)",
    "UINT128": "DECIMAL(38, 0)",
}
_TEXT = frozenset({exp.DType.ENUM, exp.DType.JSON})
_ONE = exp.cast(exp.Literal.number(1), "DECIMAL(1, 0)")
"""A decimal: times an integer it makes a decimal, times a double a double."""
_NARROW = frozenset({exp.DType.TINYINT, exp.DType.SMALLINT, exp.DType.INT, exp.DType.BIGINT})


def to_spark(sql: str, with_column: tuple[str, str] | None = None) -> str:
    """Return a query in Spark's dialect.

    Args:
        sql: the query.
        with_column: to ask for one column more, out of this table instead of the query's own.

    Raises:
        sqlglot.errors.SqlglotError: it cannot be translated.
    """
    tree = parse_one(sql, dialect="duckdb").transform(_adapted)
    if with_column:
        table, column = with_column
        tree = tree.select(exp.column(column)).from_(table)
    return str(tree.sql(dialect="spark", identify=True, comments=False))


def spark_type(duckdb_type: str) -> str:
    """Return the type in which Spark reads a column that has this type in DuckDB."""
    kind = exp.DataType.build(duckdb_type, dialect="duckdb")
    if kind.this == exp.DType.ARRAY:  # of any length: Spark has no other
        return f"ARRAY<{spark_type(kind.expressions[0].sql('duckdb'))}>"
    return "STRING" if kind.this in _TEXT else str(kind.transform(_adapted).sql("spark"))


def _adapted(node: Any) -> Any:
    match node:
        case exp.CTE():
            node.set("materialized", None)
        case exp.DataType() if node.this.name in _TYPES:
            return exp.DataType.build(_TYPES[node.this.name])
        case exp.Sum() if not _narrowed(node):
            node.set(
                "this", exp.Mul(this=exp.paren(node.this), expression=exp.cast(exp.Literal.number(1), "DECIMAL(1, 0)"))
            )
        case exp.In() if node.args.get("query") and isinstance(row := node.args["query"].this.selects[0], exp.Tuple):
            node.args["query"].this.set("expressions", row.expressions)
        case exp.ArgMax() if node.args.get("count"):
            return exp.Anonymous(this="max_by", expressions=[node.this, node.expression, node.args["count"]])
        case exp.GenerateSeries() if node.args.get("is_end_exclusive"):
            return _range(node)
        case exp.Div():
            node.set("this", exp.cast(node.this, "DOUBLE"))
        case exp.Table() if node.db == "stored":
            return exp.alias_(exp.to_table(f"stored_{node.name}"), node.alias or node.name, table=True)
    return node


def _range(node: exp.GenerateSeries) -> Any:
    """Return what makes the same list: Spark's `sequence` includes the end, and counts down if that is lower."""
    start, end, step = node.args["start"], node.args["end"], node.args.get("step") or exp.Literal.number(1)
    last = exp.Sub(this=exp.paren(end), expression=exp.Literal.number(1))
    some = exp.Anonymous(this="sequence", expressions=[start, last, step])
    return exp.If(this=exp.GT(this=exp.paren(end), expression=exp.paren(start)), true=some, false=exp.array())


def _narrowed(node: exp.Sum) -> bool:
    parent = node.parent
    while isinstance(parent, exp.Coalesce | exp.Filter | exp.Paren):
        parent = parent.parent
    return isinstance(parent, exp.Cast) and parent.to.this in _NARROW
