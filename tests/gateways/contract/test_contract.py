"""What Callbill relies on, sentence by sentence; the design of the payment attempt rests on each."""

from __future__ import annotations

import pytest
import stripe

from callbill.domain.payments.gateway import (
    Declined,
    IntentStatus,
    IntentView,
    OurMistake,
    OutcomeUnknown,
    RefundStatus,
    TooSmall,
)
from callbill.rules.money import Money
from stripe_sandbox.handle import Handle

from .conftest import Place

FIFTY = Money(50_00, "USD")


def intent(place: Place, customer: str, amount: Money = FIFTY, name: str = "i1") -> IntentView:
    return place.gateway.create_intent(
        customer=customer,
        amount=amount,
        description="Contract",
        statement_suffix="CALLS",
        metadata={"intent": name},
        key=place.key(f"pi:{name}"),
    )


def paid(place: Place, customer: str, card: str, name: str = "i1") -> IntentView:
    made = intent(place, customer, name=name)
    return place.gateway.confirm(reference=made.reference, card=card, key=place.key(f"att:{name}"))


def test_a_card_is_saved_listed_and_detached(place: Place) -> None:
    customer = place.customer()
    setup = place.gateway.start_card_setup(customer=customer, metadata={"setup": "s1"}, key=place.key("seti"))
    assert (setup.status, setup.setup_id, setup.card) == (IntentStatus.WAITING, "s1", None)
    place.sdk.setup_intents.confirm(setup.reference, {"payment_method": "pm_card_visa"})
    done = place.gateway.card_setup_result(reference=setup.reference)
    assert done.card is not None
    assert (done.card.brand, done.card.last4, done.card.customer) == ("visa", "4242", customer)
    assert place.gateway.cards(customer=customer) == (done.card,)
    place.gateway.detach_card(reference=done.card.reference, key=place.key("detach:1"))
    place.gateway.detach_card(reference=done.card.reference, key=place.key("detach:2"))
    assert place.gateway.cards(customer=customer) == ()
    with pytest.raises(stripe.InvalidRequestError):  # never again, says Stripe
        place.sdk.payment_methods.attach(done.card.reference, {"customer": customer})


def test_a_payment_moves_money_once_whatever_the_keys(place: Place) -> None:
    customer = place.customer()
    card = place.card(customer)
    done = paid(place, customer, card)
    assert (done.status, done.received) == (IntentStatus.SUCCEEDED, FIFTY)
    again = place.gateway.confirm(reference=done.reference, card=card, key=place.key("att:i1"))
    assert again == done  # the kept answer
    with pytest.raises(OutcomeUnknown):  # another key: a payment that succeeded cannot be confirmed again
        place.gateway.confirm(reference=done.reference, card=card, key=place.key("other"))
    assert len(place.sdk.charges.list({"payment_intent": done.reference}).data) == 1
    assert place.gateway.find_intent(customer=customer, intent_id="i1") == done
    assert place.gateway.find_intent(customer=customer, intent_id="i2") is None


def test_a_payment_made_and_not_confirmed_has_charged_nothing(place: Place) -> None:
    customer = place.customer()
    made = intent(place, customer)
    assert (made.status, made.latest_charge, made.received) == (IntentStatus.WAITING, "", Money(0, "USD"))
    changed = place.gateway.change_amount(
        reference=made.reference, amount=Money(40_00, "USD"), key=place.key("amount")
    )
    assert changed.amount == Money(40_00, "USD")
    gone = place.gateway.cancel_intent(reference=made.reference, key=place.key("cancel"))
    assert gone.status is IntentStatus.CANCELED
    with pytest.raises(OutcomeUnknown):
        place.gateway.change_amount(reference=made.reference, amount=FIFTY, key=place.key("amount:2"))


def test_a_decline_leaves_the_payment_open_for_another_card(place: Place) -> None:
    customer = place.customer()
    refused = place.card(customer, "pm_card_chargeCustomerFail")
    made = intent(place, customer)
    with pytest.raises(Declined) as declined:
        place.gateway.confirm(reference=made.reference, card=refused, key=place.key("att:1"))
    assert (declined.value.codes.code, declined.value.codes.decline_code) == (
        "card_declined",
        "generic_decline",
    )
    view = place.gateway.fetch_intent(reference=made.reference)
    assert view.status is IntentStatus.WAITING
    assert view.latest_charge.startswith(("ch_", "py_"))
    assert view.refusal == declined.value.codes
    done = place.gateway.confirm(reference=made.reference, card=place.card(customer), key=place.key("att:2"))
    assert done.status is IntentStatus.SUCCEEDED
    assert done.latest_charge != view.latest_charge


def test_a_card_that_wants_its_holder_is_refused_without_them(place: Place) -> None:
    customer = place.customer()
    card = place.card(customer, "pm_card_authenticationRequired")
    with pytest.raises(Declined) as declined:
        paid(place, customer, card)
    codes = declined.value.codes
    assert (codes.code, codes.decline_code) == ("authentication_required", "authentication_required")


def test_refunds_never_exceed_the_charge_and_are_found_again(place: Place) -> None:
    customer = place.customer()
    charge = paid(place, customer, place.card(customer)).latest_charge
    ten = Money(10_00, "USD")
    asked = {"charge": charge, "amount": ten, "metadata": {"refund": "r1"}, "key": place.key("refund:r1")}
    first, again = place.gateway.refund(**asked), place.gateway.refund(**asked)
    assert first == again
    assert (first.status, first.amount, first.refund_id) == (RefundStatus.SUCCEEDED, ten, "r1")
    reference = place.sdk.charges.retrieve(charge).payment_intent
    assert place.gateway.find_refund(intent=reference, refund_id="r1") == first
    with pytest.raises(OurMistake):
        place.gateway.refund(charge=charge, amount=FIFTY, metadata={}, key=place.key("refund:r2"))


def test_a_key_belongs_to_one_request(place: Place) -> None:
    customer = place.customer()
    assert intent(place, customer) == intent(place, customer)
    with pytest.raises(OurMistake):
        intent(place, customer, Money(60_00, "USD"))
    with pytest.raises(stripe.IdempotencyError):
        place.sdk.customers.create({"name": "Other"}, {"idempotency_key": place.key("customer")})
    replayed = place.sdk.customers.create(
        {"name": "Contract", "metadata": {"run": place.run}}, {"idempotency_key": place.key("customer")}
    )
    assert replayed.id == customer
    assert replayed.last_response.headers["idempotent-replayed"] == "true"
    with pytest.raises(stripe.InvalidRequestError):
        place.sdk.customers.create({"name": "Long"}, {"idempotency_key": "k" * 256})


def test_a_key_is_free_again_after_a_mistake_in_the_parameters(place: Place) -> None:
    """Also after an amount that is too small: it needs nothing but the parameters to be seen."""
    customer = place.customer()
    key = {"idempotency_key": place.key("mistaken")}
    asked = {"currency": "usd", "customer": customer}
    for wrong in ({}, {"amount": "much"}, {"amount": 10}, {"amount": 5000, "off_session": True}):
        with pytest.raises(stripe.InvalidRequestError):
            place.sdk.payment_intents.create({**asked, **wrong}, key)
    assert place.sdk.payment_intents.create({**asked, "amount": 5000}, key).amount == 5000
    with pytest.raises(stripe.InvalidRequestError) as refused:
        place.sdk.refunds.create({}, {"idempotency_key": place.key("refund:nothing")})
    assert refused.value.error.code == "parameter_missing"


def test_mistakes_of_ours_are_told_by_code_and_parameter(place: Place) -> None:
    customer = place.customer()
    create = place.sdk.payment_intents.create
    good = {"amount": 5000, "currency": "usd", "customer": customer}
    for change, code, param in (
        ({"payment_method_types": ["card"]}, "payment_method_types_no_longer_supported", None),
        ({"shoe_size": 43}, "parameter_unknown", "shoe_size"),
        ({"amount": "much"}, "parameter_invalid_integer", "amount"),
        ({"customer": "cus_of_nobody"}, "resource_missing", "customer"),
        ({"amount": 10}, "amount_too_small", None),
    ):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            create({**good, **change})
        assert (refused.value.http_status, refused.value.error.code) == (400, code)
        assert param in (None, refused.value.param)
    with pytest.raises(TooSmall):
        intent(place, customer, Money(10, "USD"), name="small")
    with pytest.raises(stripe.InvalidRequestError) as missing:
        place.sdk.payment_intents.retrieve("pi_of_nobody")
    assert (missing.value.http_status, missing.value.error.code) == (404, "resource_missing")


def test_lists_begin_with_the_newest_and_go_on_by_cursor(place: Place) -> None:
    customer = place.customer()
    made = [intent(place, customer, name=f"i{number}").reference for number in range(3)]
    page = place.sdk.payment_intents.list({"customer": customer, "limit": 2})
    assert ([each.id for each in page.data], page.has_more) == (made[:0:-1], True)
    assert [each.id for each in page.auto_paging_iter()] == made[::-1]
    rest = place.sdk.payment_intents.list({"customer": customer, "starting_after": made[1]})
    assert ([each.id for each in rest.data], rest.has_more) == ([made[0]], False)


def test_metadata_is_merged_and_unset_by_empty_text(place: Place) -> None:
    customer = place.customer()
    changed = place.sdk.customers.update(customer, {"metadata": {"a": "1", "b": "2"}})
    assert changed.metadata.to_dict() == {"run": place.run, "a": "1", "b": "2"}
    changed = place.sdk.customers.update(customer, {"metadata": {"a": ""}})
    assert changed.metadata.to_dict() == {"run": place.run, "b": "2"}


def test_fee_and_net_come_later_with_the_balance_transaction(place: Place) -> None:
    customer = place.customer()
    charge = paid(place, customer, place.card(customer)).latest_charge
    line = place.eventually(
        lambda: place.sdk.charges.retrieve(charge, {"expand": ["balance_transaction"]}).balance_transaction
    )
    assert (line.type, line.source, line.amount) == ("charge", charge, 5000)
    assert line.fee > 0
    assert line.net == line.amount - line.fee
    assert [each.id for each in place.sdk.balance_transactions.list({"source": charge}).data] == [line.id]


def test_what_happened_is_told_in_events(place: Place) -> None:
    customer = place.customer()
    done = paid(place, customer, place.card(customer))

    def told() -> list[stripe.Event]:
        events = place.sdk.events.list({"type": "payment_intent.succeeded", "limit": 100}).data
        return [event for event in events if event.data.object.id == done.reference]

    (event,) = place.eventually(told)
    assert event.data.object.to_dict()["metadata"] == {"intent": "i1"}
    assert event.request.idempotency_key == place.key("att:i1")


def test_a_disputed_charge_is_found_by_its_payment(place: Place) -> None:
    customer = place.customer()
    done = paid(place, customer, place.card(customer, "pm_card_createDispute"))
    (dispute,) = place.eventually(lambda: place.sdk.disputes.list({"payment_intent": done.reference}).data)
    assert (dispute.charge, dispute.amount, dispute.reason) == (done.latest_charge, 5000, "fraudulent")
    assert dispute.status in ("needs_response", "warning_needs_response")
    assert place.sdk.charges.retrieve(done.latest_charge).disputed is True


def test_an_answer_that_was_lost_is_found_under_its_key(place: Place, control: Handle) -> None:
    customer = place.customer()
    card = place.card(customer)
    made = intent(place, customer)
    control.fault("reset_after", path="/confirm$", method="POST")
    done = place.gateway.confirm(reference=made.reference, card=card, key=place.key("att:1"))
    assert done.status is IntentStatus.SUCCEEDED
    assert len(place.sdk.charges.list({"payment_intent": made.reference}).data) == 1


def test_a_key_that_was_forgotten_still_charges_only_once(place: Place, control: Handle) -> None:
    customer = place.customer()
    card = place.card(customer)
    made = intent(place, customer)
    control.fault("reset_mid_body", path="/confirm$", method="POST")
    with pytest.raises(OutcomeUnknown):
        place.gateway.confirm(reference=made.reference, card=card, key=place.key("att:1"))
    control.advance(25 * 3600)
    with pytest.raises(OutcomeUnknown):  # not a second charge: the payment itself says it succeeded
        place.gateway.confirm(reference=made.reference, card=card, key=place.key("att:1"))
    assert place.gateway.fetch_intent(reference=made.reference).status is IntentStatus.SUCCEEDED
    assert len(place.sdk.charges.list({"payment_intent": made.reference}).data) == 1


def test_a_card_declines_what_its_script_says(place: Place, control: Handle) -> None:
    customer = place.customer()
    card = place.card(customer)
    control.decline_next(card, "insufficient_funds")
    made = intent(place, customer)
    with pytest.raises(Declined) as declined:
        place.gateway.confirm(reference=made.reference, card=card, key=place.key("att:1"))
    assert declined.value.codes.decline_code == "insufficient_funds"
    done = place.gateway.confirm(reference=made.reference, card=card, key=place.key("att:2"))
    assert done.status is IntentStatus.SUCCEEDED
