"""The product's database on the stack's PostgreSQL, owned by a role like the one in the cloud."""

import json
import secrets
from contextlib import closing
from pathlib import Path

import psycopg
from psycopg import sql

from tools.local_stack.ports import HOST
from tools.local_stack.postgres import Server

NAME = "paynexus"


def prepare(server: Server, *, keys: dict[str, str]) -> str:
    """The database and its owner exist; the owner's address is returned.

    Like the master user of a managed PostgreSQL the owner is no superuser.
    """
    password = keys["database_password"]
    with closing(psycopg.connect(server.url, autocommit=True)) as connection:
        role, database = sql.Identifier(NAME), sql.Identifier(NAME)
        if not _exists(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s"):
            connection.execute(sql.SQL("CREATE ROLE {}").format(role))
        connection.execute(
            sql.SQL("ALTER ROLE {} LOGIN REPLICATION CREATEDB CREATEROLE PASSWORD {}").format(
                role, sql.Literal(password)
            )
        )
        if not _exists(connection, "SELECT 1 FROM pg_database WHERE datname = %s"):
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, role))
    admin_url = server.url.rsplit("/", 1)[0] + f"/{NAME}"
    with closing(psycopg.connect(admin_url, autocommit=True)) as connection:
        # With it one reader of the log takes over from another sooner; it goes without, too.
        connection.execute(
            sql.SQL("GRANT EXECUTE ON FUNCTION pg_log_standby_snapshot() TO {}").format(role)
        )
    return f"postgresql://{NAME}:{password}@{HOST}:{server.port}/{NAME}"


def _exists(connection: psycopg.Connection, query: str) -> bool:
    return connection.execute(query.encode(), [NAME]).fetchone() is not None


def has_client(url: str, client_id: str) -> bool:
    """Whether the database knows the client."""
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        query = "SELECT 1 FROM clients WHERE id = %s AND revoked_at IS NULL"
        return connection.execute(query, [client_id]).fetchone() is not None


def kept_json(path: Path, fresh: dict[str, str]) -> dict[str, str]:
    """What the file holds, which only its owner may read; the fresh values where it lacks them."""
    kept: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    if not fresh.keys() <= kept.keys():
        kept = fresh | kept
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.chmod(0o600)
        path.write_text(json.dumps(kept, indent=1) + "\n")
    return kept


def password() -> str:
    """A password nobody can guess."""
    return secrets.token_urlsafe(24)
