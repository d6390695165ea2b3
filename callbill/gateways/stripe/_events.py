"""A webhook's signature and age (docs.stripe.com/webhooks#verify-manually).

Checked here and not by the SDK because its age check reads the machine's clock, and ours can be moved; the
time that was signed and the time that is compared must be the same one, so both come from one strict parse.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import datetime

from callbill.domain.payments.gateway import BadSignature, EventView

TOLERANCE_SECONDS = 300


def verified(payload: bytes, header: str, secrets: Sequence[str], now: datetime) -> EventView:
    """The event, if one of the secrets signed it within 300 seconds of `now`. Raises BadSignature."""
    if not secrets:
        raise BadSignature("No webhook secret is configured. Set STRIPE_WEBHOOK_SECRET.")
    sent_at, signatures = _parsed(header)
    signed = str(sent_at).encode() + b"." + payload
    expected = [hmac.new(secret.encode(), signed, hashlib.sha256).digest() for secret in secrets]
    if not any(hmac.compare_digest(ours, theirs) for ours in expected for theirs in signatures):
        raise BadSignature("The signature is not one of ours.")
    if abs(int(now.timestamp()) - sent_at) > TOLERANCE_SECONDS:
        raise BadSignature("The signature is too old.")
    try:
        event = json.loads(payload)
        found = EventView(event["id"], event["type"], event["data"]["object"]["id"])
    except (ValueError, KeyError, TypeError) as error:
        raise BadSignature("The body is not an event about an object.") from error
    if not all(isinstance(part, str) for part in (found.event_id, found.kind, found.object_id)):
        raise BadSignature("The body is not an event about an object.")
    return found


def _parsed(header: str) -> tuple[int, list[bytes]]:
    """The one time and the v1 signatures of "t=..,v1=..,v1=..". Raises BadSignature for anything unclear."""
    times: list[int] = []
    signatures: list[bytes] = []
    try:
        for part in header.split(","):
            name, _, value = part.strip().partition("=")
            if name == "t":
                if str(int(value)) != value:
                    raise ValueError(value)
                times.append(int(value))
            elif name == "v1":
                signatures.append(bytes.fromhex(value))
    except ValueError as error:
        raise BadSignature("The signature cannot be read.") from error
    if len(times) != 1 or not signatures:
        raise BadSignature("The signature cannot be read.")
    return times[0], signatures
