"""What customers, staff and banks do, each by the operation that their page calls.

To add a deed: write a function of the world and the step, put it into `DEEDS` below, and give it a chance in
`chances.DEEDS` or `later.DEEDS`. It returns in a word how it went; what the operations refuse with words of
their own (`watch.REFUSALS`) is a fine outcome too and is caught outside.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from callbill.config.simulation.deeds import banks, calls, cards, invoices, parties, payments
from callbill.config.simulation.story import Step

if TYPE_CHECKING:
    from callbill.config.simulation.world import World

Deed = Callable[["World", Step], str]

DEEDS: dict[str, Deed] = {
    deed.__name__: deed
    for deed in (
        *(cards.add_card, cards.make_default, cards.remove_card),
        *(cards.card_declines, cards.card_expires, cards.card_renewed),
        *(cards.agree_again, cards.pay_on_new_card),
        *(banks.dispute, banks.dispute_decided, banks.fraud_warning, banks.payout, banks.card_replaced),
        *(payments.pay_several, payments.confirm, payments.bank_payment, payments.bank_return),
        *(payments.hold, payments.lift_hold),
        *(payments.pay_now, payments.retry_now, payments.stop_waiting, payments.refund),
        *(invoices.credit, invoices.void, invoices.write_off, invoices.recovery),
        *(invoices.adjust, invoices.outage, invoices.decide),
        *(calls.calls, calls.late_calls, calls.repeated_calls, calls.corrected_calls, calls.flag_call),
        *(parties.change_payer, parties.add_contact),
    )
}
