"""What a fault leaves in the log."""

from __future__ import annotations

import sys

import pytest
from sqlalchemy.exc import IntegrityError

from wxbackend.accounts.models import Identity
from wxbackend.extensions import db
from wxbackend.logs import CalmLogger, told


def test_a_database_error_names_its_class_and_place_but_not_the_row(any_app):
    db.session.add(Identity(person_id=404, appid="wx1", openid="oSecretOpenid"))
    with pytest.raises(IntegrityError) as caught:
        db.session.flush()
    said = told((caught.type, caught.value, caught.tb))
    assert "IntegrityError" in said and "test_logs.py" in said
    assert "oSecretOpenid" not in said


def test_our_own_errors_speak(app):
    try:
        raise RuntimeError("two people share a tag") from ValueError("why")
    except RuntimeError:
        said = told(sys.exc_info())
    assert said.index("ValueError: why") < said.index("RuntimeError: two people share a tag")


def test_an_error_that_is_its_own_cause_is_told_once(app):
    try:
        try:
            raise ValueError("round and round")
        except ValueError as e:
            raise e from e
    except ValueError:
        said = told(sys.exc_info())
    assert said.count("ValueError: round and round") == 1


def test_a_log_that_cannot_be_written_stops_nobody():
    class Full:
        def write(self, _text):
            raise OSError(28, "No space left on device")

        def flush(self):
            raise OSError(28, "No space left on device")

    CalmLogger(Full()).warning("the disk is full")
