"""Deploy step: the models fit, the database has every migration, and the changefeed its slot."""

from collections.abc import Mapping
from importlib.resources import as_file, files
from typing import Any

from paynexus import changefeed, db, runtime
from paynexus.fraud import scoring
from paynexus.observability import logger


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """`applied`: the names of the migrations that this call applied.

    Nothing is applied when a shipped model doesn't fit the code that is deployed with it.
    """
    scoring.verify_all()
    connection = runtime.database().connection()
    # The folder travels as a layer of its own, which lands on the import path.
    with as_file(files("migrations")) as directory:
        applied = db.migrate(connection, directory)
    changefeed.create_slot(connection, runtime.settings().require("changefeed_slot"))
    logger.info("migrated", applied=applied)
    return {"applied": applied}
