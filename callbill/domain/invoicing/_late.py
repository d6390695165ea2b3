"""Late calls: what they add to periods already billed, priced as a difference at their terms (M20)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from callbill.domain.contracts import queries as contracts
from callbill.domain.invoicing._pricing import LATE, Inputs, ToPrice, price_sections
from callbill.domain.invoicing.models import InvoiceSection, Stretch
from callbill.domain.usage import queries as calls
from callbill.rules.counting import Calendars
from callbill.rules.lifecycle import InvoiceStatus
from callbill.rules.period import Period
from callbill.rules.rating import AdjustmentItem, pools_anything
from callbill.rules.terms import Terms
from callbill.rules.totals import Rated
from callbill.rules.treatment import TAXED


@dataclass(frozen=True, slots=True)
class OldPart:
    """A stretch of a period billed before: its settlements so far, and the one with late calls, if any."""

    base: Stretch
    settled: tuple[UUID, ...]
    late_id: UUID | None = None

    @property
    def terms(self) -> Terms:
        """The terms frozen with it."""
        return contracts.terms_of_document(self.base.terms)

    @property
    def inputs(self) -> Inputs:
        """The inputs frozen with it."""
        return Inputs.from_json(self.base.inputs, self.terms.time_zone)

    @property
    def span(self) -> Period:
        """Its days."""
        return Period(self.base.first_day, self.base.end_day, self.terms.time_zone)

    def to_price(self, settlement_ids: Sequence[UUID]) -> ToPrice:
        """It with the calls of these settlements; the invoice that late calls go on finds their tax."""
        inputs = replace(self.inputs, tax=TAXED)
        count = calls.count_settled(settlement_ids, self.terms, inputs.calendars)
        return ToPrice(self.terms, self.span, count, inputs)


def beside(base: Stretch) -> list[Stretch]:
    """The stretches whose prices hang together with that of `base`, itself included, in order.

    All of its section: a minimum looks at the whole period. All of its invoice, where the terms pool (M18).
    """
    together = Stretch.objects.filter(section__invoice_id=base.section.invoice_id, kind="period")
    if not pools_anything(contracts.terms_of_document(base.terms)):
        together = together.filter(section_id=base.section_id)
    return list(together.select_related("section", "version").order_by("section__position", "first_day"))


def late_ids_of(base: Stretch) -> list[UUID]:
    """The settlements of late calls billed since for an earlier period's stretch, in order."""
    company = InvoiceSection.objects.values("company_id").filter(id=base.section_id)[:1]
    late = Stretch.objects.filter(
        section__company_id=company, kind="late", first_day=base.first_day, end_day=base.end_day
    )
    live = late.exclude(section__invoice__status=InvoiceStatus.VOID)
    return list(live.order_by("id").values_list("id", flat=True))


def calendars_behind(stretch: Stretch) -> Calendars:
    """The holiday calendars by which the stretch's calls were counted: late calls, by those of their days."""
    if stretch.kind == "late":
        stretch = Stretch.objects.get(id=stretch.inputs["of"][0])
    zone = contracts.terms_of_document(stretch.terms).time_zone
    return Inputs.from_json(stretch.inputs, zone).calendars


def to_json(part: OldPart, together: Iterable[OldPart]) -> dict[str, Any]:
    """The stored inputs of a late stretch: which settlements its difference was taken against."""
    others = [[str(each) for each in other.settled] for other in together if other is not part]
    return {"of": [str(each) for each in part.settled], **({"beside": others} if others else {})}


def parts_of(late: Sequence[Stretch]) -> list[list[OldPart]]:
    """The late stretches of one invoice as they were priced: groups of parts, from their stored inputs."""
    by_base = {UUID(stretch.inputs["of"][0]): stretch for stretch in late}
    groups: dict[frozenset[UUID], list[OldPart]] = {}
    for stretch in late:
        settled = [
            tuple(UUID(each) for each in ids)
            for ids in (stretch.inputs["of"], *stretch.inputs.get("beside", ()))
        ]
        key = frozenset(ids[0] for ids in settled)
        if key in groups:
            continue
        bases = {
            base.id: base for base in Stretch.objects.filter(id__in=key).select_related("section", "version")
        }
        groups[key] = [
            OldPart(bases[ids[0]], ids, by_base[ids[0]].id if ids[0] in by_base else None) for ids in settled
        ]
    return in_order(groups.values())


def in_order(groups: Iterable[Sequence[OldPart]]) -> list[list[OldPart]]:
    """Groups by their first day, the parts of each by section and day: the order of pricing and of lines."""
    ordered = [
        sorted(group, key=lambda part: (part.base.section.position, part.base.first_day)) for group in groups
    ]
    return sorted(ordered, key=lambda group: (group[0].base.first_day, str(group[0].base.id)))


def late_items(group: Sequence[OldPart]) -> Mapping[UUID, list[AdjustmentItem]]:
    """What late calls add to the parts of a group, by late settlement: price with them less price without.

    Charge by charge, after discounts; a charge whose price does not change has no item. Where companies pool,
    the share of one changes with the calls of another; a company that is not on this invoice keeps its share.
    """
    sections: dict[UUID, list[OldPart]] = {}
    for part in group:
        sections.setdefault(part.base.section_id, []).append(part)
    was, becomes = (
        price_sections(
            [[part.to_price((*part.settled, *added(part))) for part in parts] for parts in sections.values()]
        )
        for added in (_nothing, _late)
    )
    items: dict[UUID, list[AdjustmentItem]] = {}
    for parts, old, new in zip(sections.values(), was, becomes, strict=True):
        for part, before, after in zip(parts, old, new, strict=True):
            if part.late_id is not None:
                items[part.late_id] = _differences(part, before, after)
    return items


def _nothing(part: OldPart) -> tuple[UUID, ...]:
    return ()


def _late(part: OldPart) -> tuple[UUID, ...]:
    return () if part.late_id is None else (part.late_id,)


def _differences(part: OldPart, before: Rated, after: Rated) -> list[AdjustmentItem]:
    was, becomes = _by_charge(before), _by_charge(after)
    month = f"{part.inputs.period.first_day:%B %Y}"
    items = []
    for key in [*becomes, *(key for key in was if key not in becomes)]:
        name, new = becomes.get(key, ("", 0))
        old_name, old = was.get(key, ("", 0))
        if new != old:
            items.append(
                AdjustmentItem(
                    id=f"{LATE}:{part.late_id}:{key[1]}",
                    name=f"Late calls, {month}: {name or old_name}",
                    amount=new - old,
                    charge=key[1],
                )
            )
    return items


def _by_charge(rated: Rated) -> dict[tuple[str, str], tuple[str, int]]:
    """Name and amount after discounts by kind and charge."""
    sums: dict[tuple[str, str], tuple[str, int]] = {}
    for line in rated.lines:
        if line.kind in ("usage", "fee", "minimum"):
            _, so_far = sums.get((line.kind, line.charge), ("", 0))
            sums[line.kind, line.charge] = (line.name, so_far + line.charged)
    return sums
