"""The official Python client against the ClickHouse-HTTP front, as its users use it."""

import os
import threading
import time
import traceback
import uuid
from datetime import date, datetime, timezone
from decimal import Decimal
from ipaddress import IPv6Address

import clickhouse_connect
from clickhouse_connect.driver.exceptions import DatabaseError, StreamFailureError

CONNECTION = {
    "host": os.environ["SNAG_SQL_HOST"],
    "port": int(os.environ["SNAG_SQL_PORT"]),
    "username": os.environ["SNAG_SQL_USER"],
    "password": os.environ["SNAG_SQL_PASSWORD"],
}
DATABASE = "python_client"
ODD = "a'b\"c\\d`e\t\n\r\0 😀 ä {x:String} ; FORMAT -- /* "

# Name, type, a value as the client gives it back.
TYPES = [
    ("u8", "UInt8", 255),
    ("i64", "Int64", -(2**63)),
    ("u256", "UInt256", 2**256 - 1),
    ("f32", "Float32", 0.5),
    ("f64", "Float64", 0.1),
    ("dec", "Decimal(38, 10)", Decimal("1234567890123456789.0123456789")),
    ("str", "String", ODD),
    ("fix", "FixedString(3)", b"a\0c"),
    ("uuid", "UUID", uuid.UUID("61f0c404-5cb3-11e7-907b-a6006ad3dba0")),
    ("day", "Date", date(2026, 11, 20)),
    ("day32", "Date32", date(1925, 1, 1)),
    ("time", "DateTime('UTC')", datetime(2026, 11, 20, 9, 30, tzinfo=timezone.utc)),
    ("time64", "DateTime64(6, 'UTC')", datetime(2026, 11, 20, 9, 30, 0, 123456, tzinfo=timezone.utc)),
    ("low", "LowCardinality(String)", "low"),
    ("lownull", "LowCardinality(Nullable(String))", None),
    ("maybe", "Nullable(Int32)", None),
    ("list", "Array(Array(Nullable(Int32)))", [[1, None], [], [3]]),
    ("lowlist", "Array(LowCardinality(String))", ["x", "y", "x"]),
    ("map", "Map(String, UInt32)", {"a": 1, "b 'c'": 2}),
    ("pair", "Tuple(n UInt8, s String)", {"n": 1, "s": ODD}),
    ("kind", "Enum8('one' = 1, 'two' = 2)", "two"),
    ("flag", "Bool", True),
    ("ip", "IPv6", IPv6Address("2001:db8::1")),
    ("doc", "JSON", {"a": {"b": "x"}, "c": "d"}),
]

STEPS = []


def step(function):
    STEPS.append(function)
    return function


def same(got, expected, what=""):
    if got != expected:
        raise AssertionError(f"{what}: {got!r} is not {expected!r}")


class Setup:
    """One way to connect, with tables of its own."""

    def __init__(self, name, **options):
        self.name = name
        self.client = clickhouse_connect.get_client(**CONNECTION, **options)

    def table(self, name):
        return f"{DATABASE}.{name}_{self.name}"


@step
def ping_and_facts(s):
    same(s.client.ping(), True)
    same(s.client.command("SELECT 1"), 1)
    assert s.client.server_version.startswith("26."), s.client.server_version


@step
def create_tables(s):
    s.client.command(f"CREATE DATABASE IF NOT EXISTS {DATABASE}")
    s.client.command(f"CREATE TABLE {s.table('rows')} (id UInt64, name String) ENGINE MergeTree ORDER BY id")
    columns = ", ".join(f"{name} {type}" for name, type, _ in TYPES)
    s.client.command(f"CREATE TABLE {s.table('types')} ({columns}) ENGINE MergeTree ORDER BY u8")
    same(s.client.command(f"EXISTS TABLE {s.table('rows')}"), 1)


@step
def insert_and_read_back(s):
    summary = s.client.insert(s.table("rows"), [[1, ODD], [2, "b"]], column_names=["id", "name"])
    same(summary.written_rows, 2, "written_rows")
    result = s.client.query(f"SELECT id, name FROM {s.table('rows')} ORDER BY id")
    same(result.result_rows, [(1, ODD), (2, "b")])
    same(result.column_names, ("id", "name"))
    assert result.query_id


@step
def a_hundred_thousand_rows(s):
    rows = [[n, f"row {n}"] for n in range(3, 100_003)]
    s.client.insert(s.table("rows"), rows, column_names=["id", "name"])
    result = s.client.query(f"SELECT id, name FROM {s.table('rows')} ORDER BY id")
    same(len(result.result_rows), 100_002)
    same(sum(row[0] for row in result.result_rows), 100_002 * 100_003 // 2)
    same(result.result_rows[-1], (100_002, "row 100002"))


@step
def unusual_types(s):
    row = [value for _, _, value in TYPES]
    s.client.insert(s.table("types"), [row, row], column_names=[name for name, _, _ in TYPES])
    result = s.client.query(f"SELECT * FROM {s.table('types')}", query_formats={"FixedString": "bytes"})
    for got in result.result_rows:
        for (name, _, expected), value in zip(TYPES, got):
            # The client gives times in UTC without saying so.
            same(value, expected.replace(tzinfo=None) if isinstance(expected, datetime) else expected, name)
    same([t.name for t in result.column_types][:4], ["UInt8", "Int64", "UInt256", "Float32"])
    text = s.client.command(f"SELECT toString(list), toString(doc) FROM {s.table('types')} LIMIT 1")
    same(text[0], "[[1,NULL],[],[3]]")


@step
def no_rows(s):
    result = s.client.query(f"SELECT id, name FROM {s.table('rows')} WHERE id > 1000000000")
    same(result.result_rows, [])


@step
def streams(s):
    query = "SELECT number AS n, toString(number) AS t FROM numbers(300000)"
    total = blocks = 0
    with s.client.query_column_block_stream(query, settings={"max_block_size": 10_000}) as stream:
        for block in stream:
            total += sum(block[0])
            blocks += 1
    same(total, 300_000 * 299_999 // 2)
    assert blocks > 3, blocks
    with s.client.query_rows_stream(query) as stream:
        same(sum(1 for _ in stream), 300_000)
    raw = b"".join(s.client.raw_stream("SELECT number FROM numbers(200000)", fmt="CSVWithNames"))
    same(raw.count(b"\n"), 200_001)
    same(raw.count(b"number"), 1)


@step
def raw_formats(s):
    same(s.client.raw_query("SELECT 1 AS a, 'x' AS b", fmt="JSONEachRow"), b'{"a":1,"b":"x"}\n')
    same(s.client.raw_query("SELECT number FROM numbers(100000)", fmt="JSON").count(b'"rows": 100000'), 1)
    s.client.command(f"CREATE TABLE {s.table('raw')} (id UInt64, name String) ENGINE Memory")
    for fmt, data in (("CSV", b'1,"a;b"\n'), ("TSV", b"2\tb\n"), ("JSONEachRow", b'{"id":3,"name":"c"}\n')):
        s.client.raw_insert(s.table("raw"), ["id", "name"], data, fmt=fmt)
    for compression in ("gzip", "lz4", "zstd"):
        import gzip

        import lz4.frame
        from backports import zstd

        packed = {"gzip": gzip.compress, "lz4": lz4.frame.compress, "zstd": zstd.compress}[compression](b"9,z\n")
        s.client.raw_insert(s.table("raw"), ["id", "name"], packed, fmt="CSV", compression=compression)
    same(s.client.query(f"SELECT count(), sum(id) FROM {s.table('raw')}").first_row, (6, 33))


@step
def parameters_and_settings(s):
    result = s.client.query(
        "SELECT {s:String}, {n:Int64}, {a:Array(String)}, {d:DateTime}, {x:Nullable(String)}, {l:Array(Int32)}",
        parameters={"s": ODD, "n": -5, "a": ["it's", "ä\\"], "d": datetime(2026, 11, 20, 9, 30), "x": None, "l": [1, 2]},
    )
    same(result.first_row[0], ODD)
    same(result.first_row[1:3], (-5, ["it's", "ä\\"]))
    same(result.first_row[4:], (None, [1, 2]))
    same(s.client.command("SELECT {n:UInt8} + 1", parameters={"n": 41}), 42)
    same(s.client.query("SELECT %(s)s", parameters={"s": ODD.replace("\0", "")}).first_row[0], ODD.replace("\0", ""))
    same(s.client.query("SELECT getSetting('max_threads')", settings={"max_threads": 3}).first_row[0], 3)


@step
def insert_from_query_and_values(s):
    s.client.command(f"INSERT INTO {s.table('rows')} SELECT number + 200000, 'n' FROM numbers(10)")
    s.client.command(f"INSERT INTO {s.table('rows')} VALUES (300000, 'it''s; FORMAT x'), (300001, 'b')")
    same(s.client.query(f"SELECT count() FROM {s.table('rows')} WHERE id >= 200000").first_row[0], 12)
    s.client.insert(s.table("rows"), [[7, 8], ["x", "y"]], column_names=["id", "name"], column_oriented=True)
    s.client.command(f"ALTER TABLE {s.table('rows')} DELETE WHERE id >= 200000", settings={"mutations_sync": 1})
    same(s.client.command(f"SELECT count() FROM {s.table('rows')}"), 100_004)


@step
def describe_and_contexts(s):
    context = s.client.create_insert_context(s.table("rows"), ["id", "name"], data=[[11, "c"]])
    s.client.insert(context=context)
    context = s.client.create_query_context(query=f"SELECT max(id) FROM {s.table('rows')} WHERE id < {{top:UInt64}}", parameters={"top": 50})
    same(s.client.query(context=context).first_row[0], 49)
    same([r[0] for r in s.client.query(f"DESCRIBE {s.table('rows')}").result_rows], ["id", "name"])


@step
def errors(s):
    for sql, code in (("SELECT nothing", 47), ("SELEC 1", 62), ("SELECT * FROM nowhere", 60), ("SELECT throwIf(1)", 395)):
        try:
            s.client.query(sql)
        except DatabaseError as error:
            assert f"code {code}" in str(error).lower() or f"Code: {code}" in str(error), error
        else:
            raise AssertionError(f"{sql} did not fail")
    try:
        s.client.insert("nowhere", [[1]], column_names=["a"])
    except DatabaseError:
        pass
    else:
        raise AssertionError("an insert into nowhere did not fail")
    broken = "SELECT throwIf(number = 3000000) FROM numbers(10000000)"
    try:
        s.client.query(broken, settings={"max_block_size": 10_000})
    except (StreamFailureError, DatabaseError) as error:
        assert "throwIf" in str(error), error
    else:
        raise AssertionError("an answer that broke off was taken for whole")


@step
def several_at_once(s):
    if s.name == "session":
        return  # One session is for one query at a time, as the client itself says.
    failures = []

    def work(n):
        try:
            client = clickhouse_connect.get_client(**CONNECTION)
            for i in range(5):
                same(client.query(f"SELECT {n} * {i}, count() FROM numbers(100000)").first_row, (n * i, 100_000))
        except Exception as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    same(failures, [])


def main():
    try:
        clickhouse_connect.get_client(**{**CONNECTION, "password": "wrong"})
    except DatabaseError as error:
        assert "516" in str(error), error
    else:
        raise AssertionError("a wrong password was taken")
    setups = [
        Setup("default"),
        Setup("session", session_id=f"python-{os.getpid()}", settings={"session_timeout": 60}),
        Setup("zstd", compress="zstd", autogenerate_session_id=False),
        Setup("plain", compress=False, query_limit=0),
        Setup("form", form_encode_query_params=True),
    ]
    for setup in setups:
        for function in STEPS:
            started = time.monotonic()
            try:
                function(setup)
            except Exception:
                print(f"FAILED {setup.name}: {function.__name__}")
                traceback.print_exc()
                raise SystemExit(1) from None
            print(f"ok {setup.name}: {function.__name__} ({time.monotonic() - started:.2f} s)")
        setup.client.close()
    print(f"{len(setups) * len(STEPS)} steps: all steps passed")


main()
