/* The card form inside the frame. Card data stays here and goes to the sandbox's API, never to the host page. */
"use strict";

const query = new URLSearchParams(location.search);
const PARENT = query.get("parent");
const form = document.getElementById("form");
const fields = { number: form.number, expiry: form.expiry, cvc: form.cvc };
const OFFLINE = {
  type: "api_connection_error",
  message: "We could not reach the payment provider. Check your internet connection and try again.",
};
if (query.get("theme")) document.documentElement.dataset.theme = query.get("theme");

function tell(type, data) {
  if (PARENT) window.parent.postMessage({ type, ...data }, PARENT);
}

const digits = (input) => input.value.replace(/\D/g, "");

function brandOf(number) {
  if (/^4/.test(number)) return "Visa";
  if (/^3[47]/.test(number)) return "American Express";
  if (/^(5[1-5]|2[2-7])/.test(number)) return "Mastercard";
  if (/^6(011|5)/.test(number)) return "Discover";
  return "";
}

function luhn(number) {
  let total = 0;
  [...number].reverse().forEach((digit, at) => {
    const value = Number(digit) * (at % 2 ? 2 : 1);
    total += value > 9 ? value - 9 : value;
  });
  return total % 10 === 0;
}

function expiry() {
  const found = /^\s*(\d{1,2})\s*\/?\s*(\d{4}|\d{2})\s*$/.exec(fields.expiry.value);
  if (!found) return null;
  const year = Number(found[2]);
  return { month: Number(found[1]), year: year < 100 ? 2000 + year : year };
}

function problemWith(name) {
  const number = digits(fields.number);
  if (name === "number") {
    const length = brandOf(number) === "American Express" ? 15 : 16;
    if (number.length < length) return ["incomplete_number", "Your card number is incomplete."];
    if (!luhn(number)) return ["invalid_number", "Your card number is invalid."];
  }
  if (name === "expiry") {
    const date = expiry();
    if (!date) return ["incomplete_expiry", "Your card's expiration date is incomplete."];
    if (date.month < 1 || date.month > 12) return ["invalid_expiry_month", "Your card's expiration month is invalid."];
    const today = new Date();
    if (date.year < today.getFullYear()) {
      return ["invalid_expiry_year_past", "Your card's expiration year is in the past."];
    }
    if (date.year === today.getFullYear() && date.month < today.getMonth() + 1) {
      return ["invalid_expiry_month_past", "Your card's expiration date is in the past."];
    }
    if (date.year > today.getFullYear() + 50) return ["invalid_expiry_year", "Your card's expiration year is invalid."];
  }
  if (name === "cvc") {
    const length = brandOf(number) === "American Express" ? 4 : 3;
    if (digits(fields.cvc).length < length) return ["incomplete_cvc", "Your card's security code is incomplete."];
  }
  return null;
}

function show(name, problem) {
  fields[name].setAttribute("aria-invalid", problem ? "true" : "false");
  document.getElementById(`${name}-error`).textContent = problem ? problem[1] : "";
}

function validate() {
  let first = null;
  for (const name of Object.keys(fields)) {
    const problem = problemWith(name);
    show(name, problem);
    if (problem && !first) {
      first = problem;
      fields[name].focus();
    }
  }
  tellHeight();
  return first ? { error: { type: "validation_error", code: first[0], message: first[1] } } : {};
}

function append(params, prefix, into) {
  for (const [name, value] of Object.entries(params)) {
    const full = prefix ? `${prefix}[${name}]` : name;
    if (value === undefined || value === null) continue;
    if (typeof value === "object") append(value, full, into);
    else into.append(full, String(value));
  }
  return into;
}

async function confirm({ path, params }) {
  const date = expiry();
  const given = params.payment_method_data || {};
  const billing = given.billing_details || {};
  const postal = form.postal.value.trim();
  const details = postal ? { ...billing, address: { ...(billing.address || {}), postal_code: postal } } : billing;
  const body = append({
    ...params,
    payment_method_data: {
      ...given,
      type: "card",
      billing_details: details,
      card: { number: digits(fields.number), exp_month: date.month, exp_year: date.year, cvc: digits(fields.cvc) },
    },
  }, "", new URLSearchParams());
  try {
    const answer = await (await fetch(`/v1/${path}`, { method: "POST", body })).json();
    if (answer.error) {
      pointAt(answer.error);
      return { error: answer.error };
    }
    return { intent: answer };
  } catch {
    return { error: OFFLINE };
  }
}

/* Put the bank's answer next to the field it is about. */
function pointAt(error) {
  const name = { incorrect_number: "number", invalid_number: "number", incorrect_cvc: "cvc", invalid_cvc: "cvc",
    expired_card: "expiry", invalid_expiry_month: "expiry", invalid_expiry_year: "expiry" }[error.code];
  if (name) show(name, [error.code, error.message]);
  tellHeight();
}

function tellHeight() {
  tell("height", { height: Math.ceil(document.querySelector("main").getBoundingClientRect().height) });
}

/* Keep the caret where the person put it: count the digits before it, not the characters. */
function regroup(input, write) {
  const before = input.value.slice(0, input.selectionStart).replace(/\D/g, "").length;
  const text = write(digits(input));
  if (text === input.value) return;
  input.value = text;
  let at = 0;
  for (let seen = 0; at < text.length && seen < before; at += 1) if (/\d/.test(text[at])) seen += 1;
  input.setSelectionRange(at, at);
}

function grouped(number) {
  const sizes = brandOf(number) === "American Express" ? [4, 6, 5] : [4, 4, 4, 4, 3];
  const groups = [];
  let at = 0;
  for (const size of sizes) {
    if (at < number.length) groups.push(number.slice(at, at + size));
    at += size;
  }
  return groups.join(" ");
}

/* MM / YY however it is typed: 1244, 12/44, 1/44, 12 / 2044; deleting backwards never sticks at the slash. */
function dated(text, removing) {
  const [, month, rest] = /^\D*(\d{0,2})(.*)$/.exec(text);
  const year = rest.replace(/\D/g, "").slice(0, 4);
  if (removing) return year ? `${month} / ${year}` : month;
  if (month.length === 1 && (/\D/.test(rest) || month > "1")) return `0${month} / ${year}`;
  return month.length === 2 ? `${month} / ${year}` : month;
}

form.addEventListener("input", (event) => {
  const { target } = event;
  const removing = (event.inputType || "").startsWith("delete");
  if (target === fields.number) {
    regroup(target, grouped);
    document.getElementById("brand").textContent = brandOf(digits(target));
  }
  if (target === fields.cvc) regroup(target, (text) => text.slice(0, 4));
  if (target === fields.expiry && target.selectionStart === target.value.length) {
    target.value = dated(target.value, removing);
  }
  if (target.name in fields) show(target.name, null);
  tellChange();
});

function tellChange() {
  const names = Object.keys(fields);
  tell("change", {
    empty: names.every((name) => fields[name].value === ""),
    complete: names.every((name) => problemWith(name) === null),
  });
  tellHeight();
}

function clear() {
  form.reset();
  for (const name of Object.keys(fields)) show(name, null);
  document.getElementById("brand").textContent = "";
  tellChange();
}

form.addEventListener("focusout", ({ target }) => {
  if (target.name in fields && target.value !== "") show(target.name, problemWith(target.name));
  tellHeight();
  tell("blur");
});
form.addEventListener("focusin", () => tell("focus"));
form.addEventListener("submit", (event) => event.preventDefault());
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") tell("escape");
});

window.addEventListener("message", async (event) => {
  if (event.source !== window.parent || event.origin !== PARENT) return;
  const { type, request, ...data } = event.data || {};
  if (type === "validate") tell("reply", { request, result: validate() });
  if (type === "confirm") tell("reply", { request, result: await confirm(data) });
  if (type === "focus") fields.number.focus();
  if (type === "blur") document.activeElement?.blur();
  if (type === "clear") clear();
  if (type === "options") for (const input of form.elements) input.readOnly = data.readOnly;
});
new ResizeObserver(tellHeight).observe(document.querySelector("main"));
tell("loaded");
// Something may have been typed, or filled in by the browser, before this script ran.
if (fields.number.value !== "") tellChange();
tellHeight();
