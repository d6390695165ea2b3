// Confirming a payment with the bank: Stripe.js asks it; how it ended our server asks of Stripe itself.
"use strict";

const form = document.getElementById("confirm-form");
const button = document.getElementById("confirm-payment");
const problem = document.getElementById("confirm-problem");
const words = button.textContent;

function say(text) {
  problem.textContent = text;
  problem.hidden = !text;
  if (text) problem.focus();
}

function busy(on) {
  button.disabled = on;
  button.textContent = on ? "Asking your bank…" : words;
}

if (typeof window.Stripe === "function") {
  const { clientSecret, card, returnUrl, publishableKey } = form.dataset;
  const stripe = window.Stripe(publishableKey);
  button.disabled = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    say("");
    busy(true);
    try {
      const { error } = await stripe.confirmPayment({
        clientSecret,
        confirmParams: { payment_method: card, return_url: returnUrl },
        redirect: "if_required",
      });
      // The bank's answer, yes or no: the page says it in our words.
      if (!error || error.type === "card_error" || error.payment_intent) location.replace(returnUrl);
      else throw error;
    } catch (error) {
      busy(false);
      say(`${error.message || "That did not work."} If you have confirmed already, reload this page; you are never charged twice.`);
    }
  });
} else {
  say("Stripe's script did not load, so your bank cannot be asked. Nothing was charged. Check your connection, or a content blocker that stops js.stripe.com, and reload the page.");
}
