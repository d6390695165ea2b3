"""Each endpoint through the official SDK: what it does, what it refuses and in which words."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import stripe

from stripe_sandbox.handle import Handle

Saved = Callable[..., tuple[str, str]]
Charge = Callable[..., stripe.PaymentIntent]
NO_REDIRECTS = {"enabled": True, "allow_redirects": "never"}


def test_a_customer_is_made_changed_listed_and_deleted(client: stripe.StripeClient) -> None:
    made = client.v1.customers.create(
        {"name": "Acme", "email": "a@acme.example", "metadata": {"a": "1", "b": "2"}}
    )
    changed = client.v1.customers.update(made.id, {"description": "Calls", "metadata": {"a": "", "c": "3"}})
    assert changed.metadata.to_dict() == {"b": "2", "c": "3"}
    assert [one.id for one in client.v1.customers.list({"email": "a@acme.example"}).data] == [made.id]
    assert client.v1.customers.list({"email": "b@acme.example"}).data == []
    assert client.v1.customers.update(made.id, {"description": "", "metadata": ""}).description is None
    assert client.v1.customers.delete(made.id).deleted is True
    assert client.v1.customers.retrieve(made.id).deleted is True
    assert client.v1.customers.list().data == []
    with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
        client.v1.customers.update(made.id, {"name": "Gone"})


def test_lists_are_narrowed_by_time(sandbox: Handle, client: stripe.StripeClient) -> None:
    early = [client.v1.customers.create({}).id for _ in range(3)]
    sandbox.advance(1000)
    late = [client.v1.customers.create({}).id for _ in range(3)]
    moment = client.v1.customers.retrieve(late[0]).created
    found = client.v1.customers.list({"created": {"gte": moment}, "limit": 2})
    assert [one.id for one in found.auto_paging_iter()] == late[::-1]
    found = client.v1.customers.list({"created": {"lt": moment}, "limit": 2})
    assert [one.id for one in found.auto_paging_iter()] == early[::-1]


def test_lists_page_both_ways(client: stripe.StripeClient) -> None:
    made = [client.v1.customers.create({"name": str(number)}).id for number in range(7)]
    first = client.v1.customers.list({"limit": 3})
    assert [one.id for one in first.data] == made[:3:-1]
    assert first.has_more
    second = client.v1.customers.list({"limit": 3, "starting_after": first.data[-1].id})
    assert [one.id for one in second.data] == [made[3], made[2], made[1]]
    back = client.v1.customers.list({"limit": 2, "ending_before": second.data[-1].id})
    assert [one.id for one in back.data] == [made[3], made[2]]
    assert [one.id for one in client.v1.customers.list({"limit": 2}).auto_paging_iter()] == made[::-1]
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.customers.list({"starting_after": "cus_unknown"})
    assert (refused.value.code, refused.value.param) == ("resource_missing", "starting_after")


@pytest.mark.parametrize(
    ("params", "code", "param"),
    [
        ({"currency": "usd"}, "parameter_missing", "amount"),
        ({"amount": "ten", "currency": "usd"}, "parameter_invalid_integer", "amount"),
        ({"amount": 1000, "currency": "usd", "colour": "red"}, "parameter_unknown", "colour"),
        ({"amount": 49, "currency": "usd"}, "amount_too_small", "amount"),
        ({"amount": 1000, "currency": "xyz"}, None, "currency"),
        ({"amount": 1000, "currency": "usd", "customer": "cus_no"}, "resource_missing", "customer"),
        (
            {"amount": 1000, "currency": "usd", "payment_method": "pm_no"},
            "resource_missing",
            "payment_method",
        ),
        (
            {"amount": 1000, "currency": "usd", "payment_method_types": ["card"]},
            "payment_method_types_no_longer_supported",
            "payment_method_types",
        ),
        (
            {
                "amount": 1000,
                "currency": "usd",
                "automatic_payment_methods": {"enabled": True},
                "allowed_payment_method_types": ["card"],
            },
            "parameters_exclusive",
            "automatic_payment_methods",
        ),
        ({"amount": 1000, "currency": "usd", "off_session": True}, None, "off_session"),
        ({"amount": 1000, "currency": "usd", "statement_descriptor": "CALLS"}, None, "statement_descriptor"),
        (
            {"amount": 1000, "currency": "usd", "statement_descriptor_suffix": "x" * 23},
            None,
            "statement_descriptor_suffix",
        ),
        ({"amount": 1000, "currency": "usd", "capture_method": "later"}, None, "capture_method"),
        ({"amount": 1000, "currency": "usd", "metadata": {"k" * 41: "v"}}, None, "metadata"),
        ({"amount": 1000, "currency": "usd", "metadata": {"k": "v" * 501}}, None, "metadata[k]"),
        (
            {"amount": 1000, "currency": "usd", "automatic_payment_methods": {"allow_redirects": "never"}},
            "parameter_missing",
            "automatic_payment_methods[enabled]",
        ),
        ({"amount": 1000, "currency": "usd", "expand": ["amount"]}, None, "expand"),
    ],
)
def test_bad_parameters_are_refused_by_name(
    client: stripe.StripeClient, params: dict[str, object], code: str | None, param: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.create(params)  # type: ignore[arg-type]
    assert (refused.value.code, refused.value.param) == (code, param)
    assert refused.value.http_status == 400
    assert client.v1.payment_intents.list().data == []


def test_keys_live_wrong_and_absent_are_refused(sandbox: Handle) -> None:
    for key, words in (
        ("sk_live_abc", "refuses live keys"),
        ("hello", "Invalid API Key"),
        ("pk_test_x", "secret"),
    ):
        other = stripe.StripeClient(key, base_addresses={"api": sandbox.url})
        kind = stripe.PermissionError if key.startswith("pk") else stripe.AuthenticationError
        with pytest.raises(kind, match=words):
            other.v1.customers.list()


def test_an_unknown_address_is_told_so(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="Unrecognized request URL") as refused:
        client.v1.subscriptions.list()
    assert refused.value.http_status == 404
    assert refused.value.request_id.startswith("req_")


def test_a_card_is_saved_used_once_more_and_detached_for_good(
    client: stripe.StripeClient, saved_card: Saved, charge: Charge
) -> None:
    customer, method = saved_card()
    assert [
        one.id for one in client.v1.payment_methods.list({"customer": customer, "type": "card"}).data
    ] == [method]
    assert [one.id for one in client.v1.customers.payment_methods.list(customer).data] == [method]
    changed = client.v1.payment_methods.update(method, {"card": {"exp_month": 3, "exp_year": 2044}})
    assert (changed.card.exp_month, changed.card.exp_year) == (3, 2044)
    client.v1.customers.update(customer, {"invoice_settings": {"default_payment_method": method}})
    assert client.v1.payment_methods.detach(method).customer is None
    assert client.v1.customers.retrieve(customer).invoice_settings.default_payment_method is None
    for again in (
        lambda: charge(customer, method),
        lambda: client.v1.payment_methods.attach(method, {"customer": customer}),
    ):
        with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
            again()
    with pytest.raises(stripe.InvalidRequestError, match="not attached to a customer"):
        client.v1.payment_methods.detach(method)


def test_another_customers_card_cannot_be_charged(
    client: stripe.StripeClient, saved_card: Saved, charge: Charge
) -> None:
    _, method = saved_card()
    stranger = client.v1.customers.create({})
    with pytest.raises(stripe.InvalidRequestError, match="does not belong to the Customer"):
        charge(stranger.id, method)
    with pytest.raises(stripe.InvalidRequestError, match="Please include the customer"):
        client.v1.payment_intents.create({"amount": 900, "currency": "usd", "payment_method": method})
    with pytest.raises(stripe.InvalidRequestError, match="already been attached"):
        client.v1.payment_methods.attach(method, {"customer": stranger.id})
    with pytest.raises(stripe.InvalidRequestError, match="does not have a payment method"):
        client.v1.customers.update(stranger.id, {"invoice_settings": {"default_payment_method": method}})


def test_a_succeeded_intent_cannot_be_confirmed_canceled_or_changed(
    client: stripe.StripeClient, saved_card: Saved, charge: Charge
) -> None:
    paid = charge(*saved_card())
    assert (paid.status, paid.amount_received) == ("succeeded", 5000)
    for attempt in (
        lambda: client.v1.payment_intents.confirm(paid.id, {"payment_method": "pm_card_visa"}),
        lambda: client.v1.payment_intents.cancel(paid.id),
        lambda: client.v1.payment_intents.update(paid.id, {"amount": 6000}),
    ):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            attempt()
        assert refused.value.code == "payment_intent_unexpected_state"
        assert refused.value.error.payment_intent.id == paid.id
    assert len(client.v1.charges.list({"payment_intent": paid.id}).data) == 1
    assert (
        client.v1.payment_intents.update(paid.id, {"metadata": {"invoice": "7"}}).metadata["invoice"] == "7"
    )


def test_an_intent_is_changed_confirmed_in_steps_and_canceled(
    client: stripe.StripeClient, saved_card: Saved
) -> None:
    customer, method = saved_card()
    intent = client.v1.payment_intents.create(
        {"amount": 1000, "currency": "USD", "customer": customer, "automatic_payment_methods": NO_REDIRECTS}
    )
    assert (intent.status, intent.currency) == ("requires_payment_method", "usd")
    with pytest.raises(stripe.InvalidRequestError, match="missing a payment method"):
        client.v1.payment_intents.confirm(intent.id)
    intent = client.v1.payment_intents.update(intent.id, {"amount": 1500, "payment_method": method})
    assert intent.status == "requires_confirmation"
    assert client.v1.payment_intents.confirm(intent.id).status == "succeeded"
    other = client.v1.payment_intents.create({"amount": 1000, "currency": "usd", "customer": customer})
    with pytest.raises(stripe.InvalidRequestError, match="return_url"):
        client.v1.payment_intents.confirm(other.id, {"payment_method": method})
    canceled = client.v1.payment_intents.cancel(other.id, {"cancellation_reason": "abandoned"})
    assert (canceled.status, canceled.cancellation_reason) == ("canceled", "abandoned")
    assert [one.amount for one in client.v1.payment_intents.list({"customer": customer}).data] == [1000, 1500]


def test_a_setup_intent_is_updated_canceled_and_listed(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create({}).id
    intent = client.v1.setup_intents.create({"customer": customer, "automatic_payment_methods": NO_REDIRECTS})
    client.v1.setup_intents.update(intent.id, {"description": "second card"})
    assert [one.description for one in client.v1.setup_intents.list({"customer": customer}).data] == [
        "second card"
    ]
    assert client.v1.setup_intents.cancel(intent.id).status == "canceled"
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.setup_intents.confirm(intent.id, {"payment_method": "pm_card_visa"})
    assert refused.value.code == "setup_intent_unexpected_state"


def test_refunds_never_exceed_what_was_charged(
    client: stripe.StripeClient, saved_card: Saved, charge: Charge
) -> None:
    paid = charge(*saved_card())
    first = client.v1.refunds.create(
        {"payment_intent": paid.id, "amount": 2000, "reason": "requested_by_customer"}
    )
    assert (first.status, first.amount) == ("succeeded", 2000)
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded amount"):
        client.v1.refunds.create({"payment_intent": paid.id, "amount": 3001})
    rest = client.v1.refunds.create({"charge": paid.latest_charge})
    assert rest.amount == 3000
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.refunds.create({"payment_intent": paid.id})
    assert refused.value.code == "charge_already_refunded"
    refunded = client.v1.charges.retrieve(paid.latest_charge, {"expand": ["refunds"]})
    assert (refunded.refunded, refunded.amount_refunded) == (True, 5000)
    assert [one.id for one in refunded.refunds.data] == [rest.id, first.id]
    assert len(client.v1.refunds.list({"payment_intent": paid.id}).data) == 2
    assert client.v1.refunds.retrieve(first.id).charge == paid.latest_charge


def test_the_books_have_a_line_and_a_fee_for_every_charge_and_refund(
    client: stripe.StripeClient, saved_card: Saved, charge: Charge
) -> None:
    paid = charge(*saved_card(), capture_method="automatic", expand=["latest_charge.balance_transaction"])
    line = paid.latest_charge.balance_transaction
    assert (line.amount, line.fee, line.net, line.type) == (5000, 175, 4825, "charge")
    refund = client.v1.refunds.create({"payment_intent": paid.id})
    lines = client.v1.balance_transactions.list({"source": refund.id}).data
    assert [(one.amount, one.fee, one.type) for one in lines] == [(-5000, 0, "refund")]
    assert len(client.v1.balance_transactions.list({"type": "charge"}).data) == 1


def test_the_balance_transaction_comes_later(
    sandbox: Handle, client: stripe.StripeClient, saved_card: Saved, charge: Charge
) -> None:
    paid = charge(*saved_card(), expand=["latest_charge"])
    assert paid.latest_charge.balance_transaction is None
    sandbox.advance(10)
    assert client.v1.charges.retrieve(paid.latest_charge.id).balance_transaction.startswith("txn_")
    updated = client.v1.events.list({"type": "charge.updated"}).data[0]
    assert updated.data.previous_attributes.to_dict() == {"balance_transaction": None}


def test_ids_expand_to_what_they_name(client: stripe.StripeClient, saved_card: Saved, charge: Charge) -> None:
    customer, method = saved_card()
    client.v1.customers.update(customer, {"invoice_settings": {"default_payment_method": method}})
    paid = charge(customer, method)
    found = client.v1.charges.list(
        {"expand": ["data.payment_intent.customer.invoice_settings.default_payment_method"]}
    ).data[0]
    assert found.payment_intent.id == paid.id
    assert found.payment_intent.customer.invoice_settings.default_payment_method.card.last4 == "4242"
    with pytest.raises(stripe.InvalidRequestError, match="more than 4 levels"):
        client.v1.charges.list({"expand": ["data.payment_intent.latest_charge.payment_intent.customer.x"]})
