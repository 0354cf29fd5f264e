"""A Django process that takes payments: `CONNINFO SECONDS` in, each one's seconds out, as JSON."""

# Django and the ledgers upon it live in an environment of their own.
# mypy: disable-error-code="import-not-found"

import json
import sys
import time
from collections.abc import Callable

import django
from django.conf import settings
from django.core.management import call_command
from psycopg.conninfo import conninfo_to_dict

MERCHANTS = 64
WARM_UP_PAYMENTS = 20


def set_up(*apps: str, **more: object) -> None:
    """Django knows the database and the apps; their tables are there."""
    server = conninfo_to_dict(sys.argv[1])
    settings.configure(
        SECRET_KEY="benchmark",
        USE_TZ=True,
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", *apps],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": server["dbname"],
                "USER": server["user"],
                "PASSWORD": server["password"],
                "HOST": server["host"],
                "PORT": server["port"],
            }
        },
        **more,
    )
    django.setup()
    call_command("migrate", verbosity=0)


def take_payments(take: Callable[[int], None]) -> None:
    """Payments of one merchant after the other; what each took is printed."""
    for number in range(WARM_UP_PAYMENTS):
        take(number % MERCHANTS)
    latencies: list[float] = []
    end = time.perf_counter() + float(sys.argv[2])
    while (before := time.perf_counter()) < end:
        take(len(latencies) % MERCHANTS)
        latencies.append(time.perf_counter() - before)
    json.dump(latencies, sys.stdout)
