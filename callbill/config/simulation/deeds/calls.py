"""What the switch hands over, and what staff say of calls."""

from __future__ import annotations

import io
from datetime import date, timedelta
from typing import TYPE_CHECKING

from callbill.config.simulation import customers
from callbill.config.simulation.deeds._asked import NOTHING, REASON
from callbill.config.simulation.story import Step
from callbill.domain.usage import operations as usage
from callbill.domain.usage.models import Call

if TYPE_CHECKING:
    from callbill.config.simulation.world import World


def calls(world: World, step: Step) -> str:
    """The switch hands over the calls of some days, but for those that it forgets."""
    days = date.fromisoformat(step.details["from"]), date.fromisoformat(step.details["until"])
    return _import(world, step, [call.row for call in world.calls(*days) if not call.late])


def late_calls(world: World, step: Step) -> str:
    """The switch hands over what it forgot."""
    return _import(world, step, [call.row for call in world.calls(*_days_back(world, step)) if call.late])


def repeated_calls(world: World, step: Step) -> str:
    """The switch hands over a week once more, all of it twice in the file."""
    rows = [call.row for call in world.calls(*_days_back(world, step)) if call.key in world.handed_over]
    return _import(world, step, [*rows, *rows])


def corrected_calls(world: World, step: Step) -> str:
    """The switch has other lengths and results for a few calls that it handed over before."""
    known = [call.row for call in world.calls(*_days_back(world, step)) if call.key in world.handed_over]
    rows = []
    for row in known[:3]:
        changed = list(row)
        changed[5] = str(int(row[5]) // 2)
        changed[6] = "voicemail" if row[6] == "answered" else "answered"
        rows.append(tuple(changed))
    return _import(world, step, rows)


def flag_call(world: World, step: Step) -> str:
    """Staff say of a billed call that it was spam, or take it off."""
    company = world.company(step.who)
    billed = Call.objects.filter(company=company, settlement_id__isnull=False).order_by("source_call_id")
    found = list(billed) if company else []
    if not found:
        return NOTHING
    place = step.details["place"]
    usage.correct_call(
        call_id=found[(place * 7 + step.day) % len(found)].id,
        says=("spam", "wrong_number", "test", "removed")[place],
        reason=REASON,
        actor_id=world.staff_id,
        now=world.now,
    )
    return "corrected"


def _days_back(world: World, step: Step) -> tuple[date, date]:
    until = world.today - timedelta(days=step.details["days_back"])
    return until - timedelta(days=7), until


def _import(world: World, step: Step, rows: list[tuple[str, ...]]) -> str:
    if not rows:
        return NOTHING
    report = usage.import_calls(
        stream=io.BytesIO(customers.switch_file(rows)),
        profile=usage.read_profile(customers.profile_text(), name="simulated"),
        file_name=f"calls-{step.day}-{step.minute}.csv",
        now=world.now,
    )
    world.handed_over.update(row[0] for row in rows)
    if report.status == "failed" or report.set_aside:
        raise AssertionError(f"a good file was not read: {report.problem or report.reasons}")
    return f"{report.accepted} new, {report.corrected} corrected"
