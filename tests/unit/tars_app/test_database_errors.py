# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import psycopg
import pytest
from psycopg import errors
from psycopg_pool import PoolTimeout

from tars_app.adapters.postgres import as_unavailable

OF_THE_DATABASE = [
    (psycopg.OperationalError("server closed the connection unexpectedly"), "does not answer"),
    (psycopg.InterfaceError("the connection is closed"), "does not answer"),
    (PoolTimeout("couldn't get a connection after 5.00 sec"), "does not answer"),
    (errors.AdminShutdown(), "does not answer"),
    (errors.CannotConnectNow(), "does not answer"),
    (errors.ConnectionFailure(), "does not answer"),
    (errors.TooManyConnections(), "does not answer"),
    (errors.InvalidPassword(), "does not answer"),
    (errors.DiskFull(), "disk"),
    (errors.IoError(), "disk"),
    (errors.UndefinedTable(), "schema is older"),
    (errors.UndefinedColumn(), "schema is older"),
    (errors.ReadOnlySqlTransaction(), "accepts no changes"),
]
OF_ONE_STATEMENT = [
    errors.ProgramLimitExceeded,
    errors.StatementTooComplex,
    errors.QueryCanceled,
    errors.OutOfMemory,
    errors.ConfigurationLimitExceeded,
    errors.LockNotAvailable,
    errors.DeadlockDetected,
    errors.SerializationFailure,
    errors.NumericValueOutOfRange,
    errors.CharacterNotInRepertoire,
    errors.UniqueViolation,
    errors.InternalError_,
]


@pytest.mark.parametrize(("error", "words"), OF_THE_DATABASE, ids=lambda value: type(value).__name__)
def test_an_error_of_the_database_is_named_with_a_next_step(error: psycopg.Error, words: str) -> None:
    unavailable = as_unavailable(error)
    assert unavailable and words in str(unavailable) and unavailable.next_step.endswith(".")


def test_a_desktop_that_is_busy_is_named_where_no_connection_came_in_time() -> None:
    for error, busy in (
        (PoolTimeout("couldn't get a connection after 5.00 sec"), True),
        (errors.AdminShutdown(), False),
    ):
        unavailable = as_unavailable(error)
        assert unavailable and ("busy desktop" in unavailable.next_step) == busy


@pytest.mark.parametrize("kind", OF_ONE_STATEMENT)
def test_an_error_of_one_statement_is_not_taken_for_one_of_the_database(kind: type[psycopg.Error]) -> None:
    assert as_unavailable(kind()) is None
