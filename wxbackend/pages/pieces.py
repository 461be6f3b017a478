"""Pieces of a page that are the same for everybody, rendered once for each snapshot of a campaign."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from flask import render_template
from markupsafe import Markup

from wxbackend.campaigns import snapshots
from wxbackend.campaigns.models import Subject

_articles: WeakKeyDictionary[Subject, Markup] = WeakKeyDictionary()   # a third of a voter page's rendering


def article(subject: Subject) -> Markup:
    """What is rated: title, figures, story (subject.html)."""
    found = _articles.get(subject)
    if found is None:
        found = Markup(render_template("pages/subject.html", subject=subject))   # noqa: S704  a template escapes
        if snapshots.is_shared(subject):
            _articles[subject] = found
    return found
