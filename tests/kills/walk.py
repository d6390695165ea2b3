"""Walking the matrix: one case after another, each point and each request discovered by a counting run."""

from __future__ import annotations

import traceback
import zlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from callbill.domain.payments.models import StaffAlert
from tests.kills.bench import AGED, NOW, Bench
from tests.kills.cases import NOBODY, SECOND_WORKER, STAFF, WEBHOOK, Case, Result
from tests.kills.points import Ended, Watch, Watched, in_a_fork
from tests.kills.work import Subject, Work

# Stripe keeps such an answer under its key for a day; what waits for that is not late by our fault.
_KEPT = ("500_before", "500_after")
_MOST_ROUNDS = 4
# What is asked of the outside: the world before it is as after the point before it.
_NOTHING_YET = "rs"
_MOST_REQUESTS = 3  # of a recovery that was not counted


class Wanted:
    """The cases that are walked: those that `only` names, and of them every `every`-th, by their names."""

    def __init__(self, only: str = "", every: int = 1) -> None:
        self.only = only
        self.every = every

    def __call__(self, case: Case) -> bool:
        """Whether this case is walked."""
        return case.matches(self.only) and self._drawn(case)

    def may(self, case: Case) -> bool:
        """Whether a case with the fault of this one, killed somewhere, may be walked."""
        return case.matches(self.only, but_kill=True) and self._drawn(case)

    def _drawn(self, case: Case) -> bool:
        # Where the work meets a fault its points must be counted first, so those cases are drawn together.
        together = case.fault and not case.in_recovery
        drawn = replace(case, kill=0, when="before", between=NOBODY) if together else case
        return zlib.crc32(drawn.name.encode()) % self.every == 0


@dataclass(frozen=True)
class Walked:
    """A case's result, the fork's end, and how many requests its recovery made."""

    result: Result
    ended: Ended
    recovery_requests: int
    recovery_hits: int


def walk_case(bench: Bench, work: Work, case: Case) -> Walked:
    """Kill, let somebody come between, recover, look."""
    bench.next_case(work.most_cases)
    subject = work.prepare(bench)
    bench.cases[subject.payer.payer.id] = case
    here = Watch(bench.sandbox, kill=case.kill, when=case.when)
    if not case.in_recovery:
        here.fault, here.at = case.fault, case.at
    ended = in_a_fork(lambda: work.run(bench, subject), here)
    if case.fault:
        bench.sandbox.clear_faults()
    problems = [f"the work failed: {ended.problem}"] if ended.problem else []
    after = Watch(bench.sandbox)
    if case.in_recovery:
        after.fault, after.at = case.fault, case.at
    try:
        problems += _between(bench, work, subject, case.between)
        problems += _recover(bench, work, subject, case, after)
        problems += work.wrong(bench, subject, case)
        alarms = bench.new_alarms()
        problems += [f"staff are still told: {words}" for words in bench.doubts_told()]
        if alarms not in work.alarms:
            problems.append(f"staff were alarmed {alarms} times: {StaffAlert.objects.last()}")
    except Exception:
        problems.append(f"afterwards: {traceback.format_exc(limit=-4)}")
    bench.bury(subject.payer)
    return Walked(Result(case, tuple(problems)), ended, after.requests, after.hits)


def _between(bench: Bench, work: Work, subject: Subject, who: str) -> list[str]:
    now = NOW + timedelta(minutes=1)
    if who == STAFF:
        work.staff(bench, subject, now)
    elif who == SECOND_WORKER:
        return work.recover(bench, subject, now)
    elif who == WEBHOOK:
        bench.webhooks(now)
    return work.meanwhile(bench, subject)


def _recover(bench: Bench, work: Work, subject: Subject, case: Case, watch: Watch) -> list[str]:
    problems: list[str] = []
    now = NOW + (AGED if case.aged else timedelta(minutes=20))
    bench.sandbox.advance((now - NOW).total_seconds())

    def rounds() -> None:
        nonlocal now
        for number in range(_MOST_ROUNDS):
            done = work.settled(bench, subject)
            problems.extend(work.recover(bench, subject, now))
            problems.extend(work.meanwhile(bench, subject))
            now += timedelta(minutes=20)
            bench.sandbox.advance(20 * 60)
            if done and number:
                return  # twice at least, and once more after it is settled

    Watched.now = watch
    try:
        rounds()
    finally:
        Watched.now = None
        if watch.fault:
            bench.sandbox.clear_faults()
    if case.fault in _KEPT and not work.settled(bench, subject):
        bench.sandbox.advance(AGED.total_seconds())
        now += AGED
        rounds()
    if case.between == WEBHOOK:
        # And once more when all is over.
        bench.webhooks(now)
    if not work.settled(bench, subject):
        problems.append("the recovery did not get everywhere")
    return problems


@dataclass(frozen=True)
class Counted:
    """What is known of a work after its kills were walked: its points, and how much each recovery asks."""

    trace: str
    requests: Mapping[tuple[int, str], int]

    @property
    def kills(self) -> list[tuple[int, str]]:
        """Every point, before and after."""
        return [(n, when) for n in range(1, len(self.trace) + 1) for when in ("before", "after")]


def walk_kills(bench: Bench, work: Work, *, aged: bool, wanted: Wanted) -> Generator[Result, None, Counted]:
    """Every case without a fault, with Stripe's keys fresh or aged. Returns what `walk_faults` must know."""
    plain = Case(work.name, aged=aged)
    counted = walk_case(bench, work, plain)
    if wanted(plain):
        yield counted.result
    known = Counted(counted.ended.trace, {})
    requests: dict[tuple[int, str], int] = {}
    for n, when in known.kills:
        for between in work.betweens:
            case = replace(plain, kill=n, when=when, between=between)
            if wanted(case):
                walked = _killed(bench, work, case)
                if between == NOBODY:
                    requests[n, when] = walked.recovery_requests
                yield walked.result
    return replace(known, requests=requests)


def walk_faults(
    bench: Bench, work: Work, counted: Counted, *, aged: bool, wanted: Wanted, faults: Sequence[str]
) -> Iterator[Result]:
    """Every case with one of these faults."""
    plain = Case(work.name, aged=aged)
    for fault in faults:
        yield from _at_the_work(bench, work, replace(plain, fault=fault), counted.trace, wanted)
        for n, when in counted.kills if work.own_recovery else ():
            if when == "before" and counted.trace[n - 1] in _NOTHING_YET:
                continue
            for at in range(1, counted.requests.get((n, when), _MOST_REQUESTS) + 1):
                case = replace(plain, kill=n, when=when, fault=fault, in_recovery=True, at=at)
                if wanted(case):
                    walked = walk_case(bench, work, case)
                    if walked.recovery_hits:
                        yield walked.result


def walk(bench: Bench, work: Work, *, aged: bool, wanted: Wanted) -> Iterator[Result]:
    """Every case of a piece of work with Stripe's keys fresh or aged."""
    counted = yield from walk_kills(bench, work, aged=aged, wanted=wanted)
    yield from walk_faults(bench, work, counted, aged=aged, wanted=wanted, faults=work.faults)


def _killed(bench: Bench, work: Work, case: Case) -> Walked:
    """A case whose point is known to be there."""
    walked = walk_case(bench, work, case)
    if walked.ended.died:
        return walked
    problem = f"point {case.kill} was not reached; it met {walked.ended.trace}"
    return replace(walked, result=Result(case, (*walked.result.problems, problem)))


def _at_the_work(bench: Bench, work: Work, plain: Case, trace: str, wanted: Wanted) -> Iterator[Result]:
    """The fault meets one request of the work after another; killed anywhere from then on."""
    for at in range(1, trace.count("r") + trace.count("s") + 1):
        broken = replace(plain, at=at)
        if not wanted.may(broken):
            continue
        counted = walk_case(bench, work, broken)
        if not counted.ended.hits:
            return
        if wanted(broken):
            yield counted.result
        if not work.killed_at_faults:
            continue
        first = counted.ended.first_hit
        for n in range(first, len(counted.ended.trace) + 1):
            for when in ("before", "after"):
                if when == "before" and (n == first or counted.ended.trace[n - 1] in _NOTHING_YET):
                    continue  # the fault was never met; or nothing has happened since
                number = n + at + work.faults.index(plain.fault) + (when == "after")
                between = work.betweens[number % len(work.betweens)]
                case = replace(broken, kill=n, when=when, between=between)
                if wanted(case):
                    yield _killed(bench, work, case).result
