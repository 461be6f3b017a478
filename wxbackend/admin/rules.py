"""Who may do what on the staff site."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from flask import g

from wxbackend.problems import Problem

F = TypeVar("F", bound=Callable[..., Any])
ROLES = {"manager": "活动管理员", "reviewer": "审核员", "auditor": "监督员"}


class NotYourTask(Problem):
    """This member of staff is known, but the task belongs to another role."""

    status, type, title = 403, "not-your-task", "这一步由别的同事来做。"


def may(role: str, roles: tuple[str, ...]) -> bool:
    """Whether `role` may do what `roles` may; a manager may do everything, everybody may read."""
    return role == "manager" or role in roles


def who(roles: tuple[str, ...]) -> str:
    """活动管理员、监督员: the manager first."""
    return "、".join(ROLES[role] for role in ("manager", *(r for r in roles if r != "manager")))


def needs(*roles: str) -> Callable[[F], F]:
    """Let only these roles call a view; stands below ``@access("staff")``. Raises NotYourTask, naming who can."""
    def guard(view: F) -> F:
        @wraps(view)
        def checked(*args: Any, **kwargs: Any) -> Any:
            if not may(g.staff.staff.role, roles):
                hint = f"可以做的是：{who(roles)}。请找他们，或请活动管理员给您换一个角色。"
                raise NotYourTask(hint=hint, roles=sorted({"manager", *roles}))
            return view(*args, **kwargs)

        return checked  # type: ignore[return-value]

    return guard


# The tasks of this site and who does them beside the manager.
REVIEW = ("reviewer",)
MANAGE = ("manager",)
NUMBERS = ("auditor",)     # two people enter the public drawing's numbers, each on their own account
WINNERS = ("manager",)     # full names and phones, for handing out
