"""/v1/disputes: charges that a cardholder contests, and the evidence against it."""

from __future__ import annotations

from ..context import Context
from ..endpoint import Endpoint
from ..errors import invalid
from ..lists import CREATED, PAGING, equals, page
from ..schema import Boolean, Choice, Hash, Params, Rule, Text, merge_metadata
from ..storage import Document
from .disputing import EVIDENCE, INQUIRY, OPEN, decide
from .shapes import METADATA

_DECIDING = {
    "winning_evidence": "dispute_won",
    "losing_evidence": "dispute_lost",
    "escalate_inquiry_evidence": "inquiry_escalates",
}


def retrieve(ctx: Context) -> Document:
    """The dispute."""
    return ctx.load("dispute", ctx.path[0])


def list_all(ctx: Context) -> Document:
    """Disputes of a charge or a PaymentIntent, by time."""
    return page(ctx, "dispute", "/v1/disputes", equals(ctx.params, "charge", "payment_intent"))


def update(ctx: Context) -> Document:
    """Add evidence, and send it to the bank unless `submit` is false."""
    dispute = ctx.load("dispute", ctx.path[0])
    was = ctx.snapshot(dispute)
    evidence = ctx.params.get("evidence")
    submit = ctx.params.get("submit", evidence is not None)
    if (evidence is not None or submit) and dispute["status"] not in OPEN:
        raise invalid("This dispute is already closed", param="evidence")
    if evidence is not None or submit:
        if dispute["evidence_details"]["past_due"]:
            raise invalid("The evidence due date for this dispute has passed.", param="evidence")
        dispute["evidence"].update(evidence or {})
        details = dispute["evidence_details"]
        details["has_evidence"] = any(dispute["evidence"][name] for name in EVIDENCE)
        if submit:
            details["submission_count"] += 1
            details["submission_method"] = "manual"
            dispute["status"] = "warning_under_review" if dispute["status"] in INQUIRY else "under_review"
    if "metadata" in ctx.params:
        dispute["metadata"] = merge_metadata(dispute["metadata"], ctx.params["metadata"])
    if "intended_submission_method" in ctx.params:
        dispute["intended_submission_method"] = ctx.params["intended_submission_method"]
    if dispute == was:
        return dispute
    ctx.replace(dispute, "charge.dispute.updated", was=was)
    action = _DECIDING.get(dispute["evidence"]["uncategorized_text"] or "") if submit else None
    if action:
        ctx.later(ctx.settings.dispute_after, action, dispute["id"])
    return dispute


def close(ctx: Context) -> Document:
    """Accept the dispute: it is lost, for good. An inquiry is closed."""
    dispute = ctx.load("dispute", ctx.path[0])
    if dispute["status"] not in OPEN:
        raise invalid("This dispute is already closed")
    return decide(ctx, dispute, "warning_closed" if dispute["status"] in INQUIRY else "lost")


_EVIDENCE: Rule = Hash({name: Text(150000) for name in EVIDENCE}, unset=False)
_UPDATE: dict[str, Rule] = {
    "evidence": _EVIDENCE,
    "intended_submission_method": Choice(
        "manual", "prefer_manual", "prefer_smart_disputes", "smart_disputes"
    ),
    "metadata": METADATA,
    "submit": Boolean(),
}
_LIST: dict[str, Rule] = {**PAGING, "charge": Text(), "created": CREATED, "payment_intent": Text()}
ENDPOINTS = [
    Endpoint("GET", "/v1/disputes", list_all, Params(_LIST)),
    Endpoint("GET", "/v1/disputes/{id}", retrieve),
    Endpoint("POST", "/v1/disputes/{id}", update, Params(_UPDATE)),
    Endpoint("POST", "/v1/disputes/{id}/close", close),
]
