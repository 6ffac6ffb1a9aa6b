"""Runs a script of `regrant sql` over tables of facts and prints what its views hold, a JSON object a line.

    engines.py ENGINE --probe                     can the engine be used? exits 0, or says why not
    engines.py ENGINE (SCRIPT FACTS.parquet[,FACTS.parquet…])...
                                                  rows of regrant_verdicts, regrant_findings, regrant_populations, and then
                                                  the place of the pair
    engines.py ENGINE --each EXPRESSIONS FACTS    an expression a line; for each a line with its value for every subject
"""

import json
import sys
import tempfile

VIEWS = ("verdicts", "findings", "populations")


def statements(script):
    found, lines = [], []
    for line in script.splitlines():
        lines.append(line)
        if line.endswith(";"):
            found.append("\n".join(lines)[:-1])
            lines = []
    assert not any(line.strip() for line in lines), "the last statement has no end"
    return found


class DuckDb:
    def __init__(self):
        import duckdb

        self.connection = duckdb.connect()
        self.connection.execute("SET TimeZone = 'UTC'")

    def load(self, tables):
        files = ", ".join("'" + table.replace("'", "''") + "'" for table in tables)
        self.connection.execute(f"CREATE OR REPLACE VIEW facts AS SELECT * FROM read_parquet([{files}])")

    def run(self, statement):
        self.connection.execute(statement)

    def rows(self, query):
        # Instants as text: the client wants a further package for them.
        columns = self.connection.execute(f"DESCRIBE {query}").fetchall()
        shown = (f"CAST({name} AS VARCHAR) AS {name}" if "TIME ZONE" in kind else name for name, kind, *_ in columns)
        cursor = self.connection.execute(f"SELECT {', '.join(shown)} FROM ({query})")
        names = [column[0] for column in cursor.description]
        return (dict(zip(names, row)) for row in cursor.fetchall())


class Chdb:
    def __init__(self):
        from chdb import session

        self.folder = tempfile.TemporaryDirectory()
        self.session = session.Session(self.folder.name)
        self.session.query("CREATE DATABASE IF NOT EXISTS lake")
        self.session.query("USE lake")

    def load(self, tables):
        self.session.query("DROP TABLE IF EXISTS facts")
        for number, table in enumerate(tables):
            source = "file('" + table.replace("\\", "\\\\").replace("'", "\\'") + "', 'Parquet')"
            if number == 0:
                self.session.query(
                    f"CREATE TABLE facts ENGINE = MergeTree ORDER BY tuple()"
                    f" AS SELECT * FROM {source}"
                )
            else:
                self.session.query(f"INSERT INTO facts SELECT * FROM {source}")

    def run(self, statement):
        self.session.query(statement)

    def rows(self, query):
        text = self.session.query(
            f"SELECT * FROM ({query}) SETTINGS output_format_json_quote_64bit_integers = 0", "JSONEachRow"
        )
        return (json.loads(line) for line in str(text).splitlines() if line)


class Spark:
    def __init__(self):
        import os

        os.environ["TZ"] = "UTC"
        self.folder = tempfile.TemporaryDirectory()
        from pyspark.sql import SparkSession

        self.spark = (
            SparkSession.builder.master("local[2]")
            .config("spark.sql.session.timeZone", "UTC")
            .config("spark.ui.enabled", "false")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.sql.shuffle.partitions", "1")
            # Compiling a plan takes longer than interpreting it over so few rows.
            .config("spark.sql.codegen.wholeStage", "false")
            .config("spark.sql.codegen.factoryMode", "NO_CODEGEN")
            .config("spark.sql.adaptive.enabled", "false")
            .config("spark.sql.warehouse.dir", self.folder.name)
            .getOrCreate()
        )
        self.spark.sparkContext.setLogLevel("ERROR")

    def load(self, tables):
        self.spark.catalog.clearCache()
        self.spark.read.parquet(*tables).coalesce(1).write.mode("overwrite").saveAsTable("facts")

    def run(self, statement):
        self.spark.sql(statement)
        if statement.lstrip().startswith("--") and "VIEW regrant_verdicts " in statement:
            # Both other views read it.
            self.spark.sql("CACHE TABLE regrant_verdicts")

    def rows(self, query):
        return (row.asDict() for row in self.spark.sql(query).collect())


ENGINES = {"duckdb": DuckDb, "clickhouse": Chdb, "spark": Spark}


def main():
    name, what = sys.argv[1], sys.argv[2]
    try:
        engine = ENGINES[name]()
    except Exception as error:  # whatever an engine that is not whole raises
        sys.exit(f"{type(error).__name__}: {error}".splitlines()[0])
    if what == "--probe":
        return
    if what == "--each":
        with open(sys.argv[3], encoding="utf-8") as lines:
            expressions = [line.rstrip("\n") for line in lines]
        engine.load(sys.argv[4:])
        if name == "duckdb":
            # Random conditions over few rows run into a fault of its optimizer ("did not return a BoundFunctionExpression").
            engine.run("PRAGMA disable_optimizer")
        for start in range(0, len(expressions), 50):
            some = expressions[start : start + 50]
            columns = ", ".join(f"{one} AS e{start + n}" for n, one in enumerate(some))
            values = [dict() for _ in some]
            for row in engine.rows(f"SELECT subject, subject_kind, {columns} FROM facts"):
                for n in range(len(some)):
                    value = row[f"e{start + n}"]
                    key = row["subject_kind"] + " " + row["subject"]
                    values[n][key] = None if value is None else bool(value)
            for value in values:
                print(json.dumps(value))
        return
    for place in range(2, len(sys.argv), 2):
        with open(sys.argv[place], encoding="utf-8") as script:
            script = script.read()
        engine.load(sys.argv[place + 1].split(","))
        for statement in statements(script):
            engine.run(statement)
        for view in VIEWS:
            for row in engine.rows(f"SELECT * FROM regrant_{view}"):
                row["view"] = view
                row["pair"] = place // 2 - 1
                print(json.dumps(row, default=str))


main()
