// The card form: Stripe's Payment Element, mounted here, filled in Stripe's frame. We never see the card.
"use strict";

const form = document.getElementById("card-form");
const save = document.getElementById("save-card");
const problem = document.getElementById("card-problem");
const waiting = document.getElementById("card-waiting");

function say(text) {
  problem.textContent = text;
  problem.hidden = !text;
  if (text) problem.focus();
}

function busy(on) {
  save.disabled = on;
  save.textContent = on ? "Saving…" : "Save card";
}

function finish(setupIntent) {
  const there = new URL(form.dataset.returnUrl);
  there.searchParams.set("setup_intent", setupIntent.id);
  location.assign(there);
}

function open() {
  const stripe = window.Stripe(form.dataset.publishableKey);
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const elements = stripe.elements({
    clientSecret: form.dataset.clientSecret,
    appearance: { theme: dark ? "night" : "stripe" },
  });
  const element = elements.create("payment");
  element.on("ready", () => {
    waiting.hidden = true;
    save.disabled = false;
  });
  element.on("loaderror", (event) => {
    waiting.hidden = true;
    say(`Stripe's form could not be opened. ${event.error?.message ?? ""} Nothing was saved. Reload the page to try again.`);
  });
  element.mount("#payment-element");

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    say("");
    busy(true);
    try {
      const checked = await elements.submit();
      if (checked.error) throw checked.error;
      const { error, setupIntent } = await stripe.confirmSetup({
        elements,
        redirect: "if_required",
        confirmParams: { return_url: form.dataset.returnUrl },
      });
      if (error) throw error;
      finish(setupIntent);
    } catch (error) {
      busy(false);
      say(error.message || "The card could not be saved, and nothing was charged. Try again, or use another card.");
    }
  });
}

if (typeof window.Stripe === "function") {
  try {
    open();
  } catch (error) {
    waiting.hidden = true;
    say(`Stripe's form could not be opened. ${error.message} Nothing was saved. Reload the page to try again.`);
  }
} else {
  waiting.hidden = true;
  say("Stripe's secure form did not load, so no card can be entered. Nothing was saved. Check your connection, or a content blocker that stops js.stripe.com, and reload the page.");
}
