"""Looks into the SQLite file of a deployment, as somebody who stole it would."""

import json
import os
import sqlite3

from .postgres_server import database_of, shared


def open_copy(path):
    """Read-only: the gateway may be writing meanwhile."""
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)


def number(folder, sql):
    """The number that a query gives, in whichever store the tests run over."""
    if os.environ.get("GATEHOUSE_TEST_STORE") == "postgresql":
        [[value]] = shared().query(sql, database_of(folder).rsplit("/", 1)[1])
        return int(value)
    with open_copy(f"{folder}/gatehouse.db") as store:
        return store.execute(sql).fetchone()[0]


def columns_with(path, text):
    """{"table.column"} where `text` stands as it is."""
    needle = text.encode()
    found = set()
    with open_copy(path) as store:
        names = store.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in names:
            cursor = store.execute(f'SELECT * FROM "{table}"')
            columns = [column[0] for column in cursor.description]
            for row in cursor:
                for column, value in zip(columns, row):
                    data = value if isinstance(value, bytes) else str(value).encode()
                    if needle in data:
                        found.add(f"{table}.{column}")
    return found


def audit_rows(path):
    """security_audit_log, oldest first, metadata read."""
    with open_copy(path) as store:
        store.row_factory = sqlite3.Row
        rows = [dict(r) for r in store.execute("SELECT * FROM security_audit_log ORDER BY seq")]
    for row in rows:
        row["metadata"] = json.loads(row["metadata"] or "{}")
    return rows


def password_hashes(path):
    with open_copy(path) as store:
        return [row[0] for row in store.execute("SELECT password_hash FROM accounts")]
