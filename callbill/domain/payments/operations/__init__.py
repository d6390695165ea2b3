"""What changes about being paid."""

from callbill.domain.payments._alerts import alert as alert_staff
from callbill.domain.payments._alerts import settle as settle_alerts
from callbill.domain.payments._alerts import settle_matter as settle_alert
from callbill.domain.payments._collection_run import Collected
from callbill.domain.payments._confirming import Confirmation, ConfirmationForm, LinkTooOld, Standing
from callbill.domain.payments._refused import (
    AmountTooSmall,
    CannotRefund,
    CardMustBeReplaced,
    CardNeedsConsent,
    CollectionStopped,
    NoCard,
    NothingDue,
    OnHold,
    PaymentInProgress,
    PaymentRefused,
    TriedMeanwhile,
)
from callbill.domain.payments._silence import Answers
from callbill.domain.payments._stopping import stop_collection
from callbill.domain.payments.gateway import BadSignature, GatewayError, NotAccepted, OurMistake
from callbill.domain.payments.operations._asked import (
    PayResult,
    pay_invoices,
    pay_now,
    retry_now,
)
from callbill.domain.payments.operations._backfill import backfill_events
from callbill.domain.payments.operations._bank import CannotRecord, record_bank_payment
from callbill.domain.payments.operations._bank_return import return_bank_payment
from callbill.domain.payments.operations._card_care import card_expiry_notices, forget_removed_cards
from callbill.domain.payments.operations._cards import (
    CardForm,
    CardRefused,
    agree_to_card,
    finish_card_setup,
    make_default,
    remove_card,
    start_card_setup,
)
from callbill.domain.payments.operations._chargebacks import ask_about_chargebacks
from callbill.domain.payments.operations._collecting import charge_new_cards, collect_due, sweep_attempts
from callbill.domain.payments.operations._confirming import open_confirmation
from callbill.domain.payments.operations._events import handle_events, look_at, receive_event
from callbill.domain.payments.operations._forgotten import cancel_forgotten
from callbill.domain.payments.operations._giving_up import stop_waiting
from callbill.domain.payments.operations._holds import HoldRefused, lift_hold
from callbill.domain.payments.operations._receipts import (
    give_missing_receipts,
    receipt_attachment,
    receipt_pdf,
)
from callbill.domain.payments.operations._refunds import (
    refund_to_card,
    sweep_refunds,
    take_over_refund,
)
from callbill.domain.payments.operations._staff_mail import mail_staff
from callbill.domain.payments.operations._stops import lift_collection_stop

__all__ = [
    "AmountTooSmall",
    "Answers",
    "BadSignature",
    "CannotRecord",
    "CannotRefund",
    "CardForm",
    "CardMustBeReplaced",
    "CardNeedsConsent",
    "CardRefused",
    "Collected",
    "CollectionStopped",
    "Confirmation",
    "ConfirmationForm",
    "GatewayError",
    "HoldRefused",
    "LinkTooOld",
    "NoCard",
    "NotAccepted",
    "NothingDue",
    "OnHold",
    "OurMistake",
    "PayResult",
    "PaymentInProgress",
    "PaymentRefused",
    "Standing",
    "TriedMeanwhile",
    "agree_to_card",
    "alert_staff",
    "ask_about_chargebacks",
    "backfill_events",
    "cancel_forgotten",
    "card_expiry_notices",
    "charge_new_cards",
    "collect_due",
    "finish_card_setup",
    "forget_removed_cards",
    "give_missing_receipts",
    "handle_events",
    "lift_collection_stop",
    "lift_hold",
    "look_at",
    "mail_staff",
    "make_default",
    "open_confirmation",
    "pay_invoices",
    "pay_now",
    "receipt_attachment",
    "receipt_pdf",
    "receive_event",
    "record_bank_payment",
    "refund_to_card",
    "remove_card",
    "retry_now",
    "return_bank_payment",
    "settle_alert",
    "settle_alerts",
    "start_card_setup",
    "stop_collection",
    "stop_waiting",
    "sweep_attempts",
    "sweep_refunds",
    "take_over_refund",
]
