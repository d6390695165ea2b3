"""Why a payment is not even tried, in words that may be shown to whoever asked for it."""

from __future__ import annotations


class PaymentRefused(Exception):
    """The payment is not tried; the message says why and what to do."""


class PaymentInProgress(PaymentRefused):
    """Another attempt for the invoice is under way, or its outcome is not known yet (M26)."""


class TriedMeanwhile(PaymentRefused):
    """Since whoever asks looked, a payment of the invoice was tried: a second click, or somebody else."""


class NothingDue(PaymentRefused):
    """There is nothing to be paid."""


class NoCard(PaymentRefused):
    """The payer has no default card."""


class CardMustBeReplaced(PaymentRefused):
    """The default card met a hard decline for this invoice (M28)."""


class AmountTooSmall(PaymentRefused):
    """Less than can be charged to a card."""


class CardNeedsConsent(PaymentRefused):
    """The issuer replaced the card by one of another brand; its holder must agree to charges again."""


class OnHold(PaymentRefused):
    """All that is due is held out of collection for now (M30)."""


class CollectionStopped(PaymentRefused):
    """Something at the gateway must be explained before anything is charged for this payer."""


class CannotRefund(PaymentRefused):
    """Nothing of the credit can go back to a card; it stays in the credit balance."""


class TriedEnough(PaymentRefused):
    """Every attempt that is made by itself was made; only people try again (M28)."""


class NotDueNow(PaymentRefused):
    """By the time it was this invoice's turn, somebody else had done it."""
