// A page as a program writes it against the official declarations. The test also holds it to the stand-in's own,
// by naming StandInConstructor here instead, and plants mistakes in it to see that the check finds them.
import type { StripeConstructor as Constructor, StripeError } from "@stripe/stripe-js";

export async function saveCard(Stripe: Constructor, clientSecret: string, host: HTMLElement): Promise<string> {
  const stripe = Stripe("pk_test_page");
  const elements = stripe.elements({ clientSecret, appearance: { theme: "night" } });
  const element = elements.create("payment", { readOnly: false });
  element.on("ready", (event) => report(event.elementType));
  element.on("change", (event) => report(event.complete ? event.value.type : "incomplete"));
  element.on("loaderror", ({ error }) => report(reason(error)));
  element.mount(host);
  elements.getElement("payment")?.update({ readOnly: true }).focus();
  const checked = await elements.submit();
  if (checked.error) return reason(checked.error);
  const { error, setupIntent } = await stripe.confirmSetup({
    elements,
    confirmParams: { return_url: location.href },
    redirect: "if_required",
  });
  return error ? reason(error) : setupIntent.status;
}

export async function finishPayment(Stripe: Constructor, clientSecret: string, card: string): Promise<string> {
  const stripe = Stripe("pk_test_page", { locale: "en" });
  const before = await stripe.retrievePaymentIntent(clientSecret);
  if (before.paymentIntent?.status === "requires_action") {
    const { error, paymentIntent } = await stripe.handleNextAction({ clientSecret });
    return error ? reason(error) : paymentIntent?.status ?? "gone";
  }
  const { error, paymentIntent } = await stripe.confirmPayment({
    clientSecret,
    confirmParams: { payment_method: card, return_url: location.href },
    redirect: "if_required",
  });
  return error ? reason(error) : paymentIntent.status;
}

export async function payAndLeave(Stripe: Constructor, clientSecret: string): Promise<void> {
  const stripe = Stripe("pk_test_page");
  const elements = stripe.elements({ clientSecret });
  elements.create("payment").mount("#card");
  const { error } = await stripe.confirmPayment({ elements, confirmParams: { return_url: location.href } });
  if (error) report(reason(error));
}

function reason(error: StripeError): string {
  return [error.type, error.code, error.decline_code, error.setup_intent?.status, error.message].join(" ");
}

function report(text: string): void {
  document.title = text;
}
