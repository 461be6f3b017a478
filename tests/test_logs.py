"""What a fault leaves in the log."""

from __future__ import annotations

import sys

import pytest
from sqlalchemy.exc import IntegrityError

from wxbackend.accounts.models import Identity
from wxbackend.extensions import db
from wxbackend.logs import told


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
