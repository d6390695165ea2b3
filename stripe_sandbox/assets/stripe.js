/* Stand-in for Stripe.js (endive). The host page never sees card data: the form is a frame of the sandbox's own
   origin. Styles are set through the CSSOM only, so a host page may forbid inline styles.
   Checked by TypeScript against stripe.d.ts, and that against the official declarations. */
/** @import { PaymentIntentResult, SetupIntentResult, StripeConstructorOptions, StripeElementsOptionsClientSecret,
 *    StripeElementsUpdateOptions, StripeError, StripePaymentElement, StripePaymentElementChangeEvent,
 *    StripePaymentElementOptions, StripePaymentElementUpdateOptions } from "@stripe/stripe-js" */
/** @import { Answer, Confirm, Data, ElementsStandIn, Handler, Kind, Prefix, StandIn, StandInConstructor } from "./stripe" */
(() => {
  "use strict";

  const ORIGIN = new URL(/** @type {HTMLScriptElement} */ (document.currentScript).src).origin;
  const KINDS = {
    pi: { path: "payment_intents", object: "payment_intent", failure: "last_payment_error" },
    seti: { path: "setup_intents", object: "setup_intent", failure: "last_setup_error" },
  };
  const FINISHED = ["succeeded", "canceled", "processing", "requires_capture"];
  /** @type {StripeError} */ const OFFLINE = { type: "api_connection_error",
    message: "We could not reach the payment provider. Check your internet connection and try again." };
  const NO_TYPES = "paymentMethodTypes is no longer supported.";
  let frames = 0;
  /** While somebody presses, nothing moves: the press would be of nothing. @type {Promise<void>} */
  let released = Promise.resolve();
  window.addEventListener("mousedown", () => {
    released = new Promise((done) => window.addEventListener("mouseup", () => setTimeout(done), { once: true }));
  }, true);

  class IntegrationError extends Error {
    constructor(/** @type {string} */ message) {
      super(message);
      this.name = "IntegrationError";
    }
  }

  function refuse(/** @type {unknown} */ wrong, /** @type {string} */ message) {
    if (wrong) throw new IntegrationError(message);
  }

  /** @param {string | undefined} clientSecret @returns {Kind} */
  function kindOf(clientSecret) {
    const found = /^(pi|seti)_[A-Za-z0-9]+_secret_[A-Za-z0-9]+$/.exec(clientSecret || "");
    if (!found || !clientSecret) throw new IntegrationError(`Invalid value for clientSecret: ${clientSecret}`);
    return { ...KINDS[/** @type {Prefix} */ (found[1])], id: clientSecret.split("_secret_")[0] };
  }

  /** @param {Data} params @param {string} [prefix] @param {URLSearchParams} [into] @returns {URLSearchParams} */
  function encode(params, prefix, into) {
    const form = into || new URLSearchParams();
    for (const [name, value] of Object.entries(params)) {
      const full = prefix ? `${prefix}[${name}]` : name;
      if (value === undefined || value === null) continue;
      if (typeof value === "object") encode(value, full, form);
      else form.append(full, String(value));
    }
    return form;
  }

  /** @param {string} method @param {string} path @param {Data} params @returns {Promise<Answer>} */
  async function call(method, path, params) {
    const form = encode(params);
    const url = `${ORIGIN}/v1/${path}`;
    try {
      const answer = await (method === "GET" ? fetch(`${url}?${form}`) : fetch(url, { method, body: form }));
      const body = await answer.json();
      return body.error ? { error: body.error } : { intent: body };
    } catch {
      return { error: OFFLINE };
    }
  }

  /* A frame of the sandbox and the messages to and from it. */
  class Frame {
    /** @param {string} path @param {string} title @param {(type: string, data: Data) => void} onMessage */
    constructor(path, title, onMessage) {
      this.id = `sandbox-${++frames}`;
      /** @type {Map<number, (result: any) => void>} */ this.waiting = new Map();
      this.asked = 0;
      this.becomeReady = () => {};
      /** @type {Promise<void>} */ this.ready = new Promise((resolve) => { this.becomeReady = resolve; });
      this.element = Object.assign(document.createElement("iframe"), { title, name: this.id });
      const url = new URL(path, ORIGIN);
      url.searchParams.set("parent", location.origin);
      url.searchParams.set("frame", this.id);
      this.element.src = url.href;
      Object.assign(this.element.style, { border: "0", width: "100%", display: "block" });
      this.listener = (/** @type {MessageEvent} */ event) => {
        if (event.origin !== ORIGIN || event.source !== this.element.contentWindow) return;
        const { type, request, ...data } = event.data || {};
        if (type === "reply") {
          this.waiting.get(request)?.(data.result);
          this.waiting.delete(request);
        } else onMessage(type, data);
      };
      window.addEventListener("message", this.listener);
    }

    /** @param {string} type @param {Data} [data] */
    send(type, data) {
      this.element.contentWindow?.postMessage({ type, ...data }, ORIGIN);
    }

    /** @param {string} type @param {Data} data @returns {Promise<any>} */
    ask(type, data) {
      const request = ++this.asked;
      return new Promise((resolve) => {
        this.waiting.set(request, resolve);
        this.send(type, { request, ...data });
      });
    }

    remove() {
      window.removeEventListener("message", this.listener);
      this.element.remove();
    }
  }

  class Emitter {
    constructor() {
      /** @type {Map<string, Set<Handler & { original?: Handler }>>} */ this.handlers = new Map();
    }

    on(/** @type {string} */ name, /** @type {Handler} */ handler) {
      if (typeof handler !== "function") throw new IntegrationError("A handler must be a function.");
      const known = this.handlers.get(name) || new Set();
      this.handlers.set(name, known.add(handler));
      return this;
    }

    once(/** @type {string} */ name, /** @type {Handler} */ handler) {
      const only = (/** @type {any} */ event) => {
        this.off(name, only);
        handler(event);
      };
      only.original = handler;
      return this.on(name, only);
    }

    off(/** @type {string} */ name, /** @type {Handler | undefined} */ handler) {
      const known = this.handlers.get(name);
      if (!known) return this;
      if (!handler) known.clear();
      else for (const each of known) if (each === handler || each.original === handler) known.delete(each);
      return this;
    }

    tell(/** @type {string} */ name, /** @type {Data} */ event) {
      for (const handler of [...(this.handlers.get(name) || [])]) handler(event);
    }
  }

  /** @implements {StripePaymentElement} */
  class PaymentElement extends Emitter {
    constructor(/** @type {Elements} */ group, /** @type {StripePaymentElementOptions} */ options = {}) {
      super();
      this.group = group;
      this.options = options;
      /** @type {Frame | null} */ this.frame = null;
      this.destroyed = false;
    }

    mount(/** @type {string | HTMLElement} */ where) {
      if (this.destroyed) throw new IntegrationError("This Element has already been destroyed.");
      const host = typeof where === "string" ? document.querySelector(where) : where;
      if (!host) throw new IntegrationError(`The selector you specified (${where}) applies to no DOM elements.`);
      this.unmount();
      const theme = this.group.options.appearance?.theme || "";
      this.frame = new Frame(`/endive/card-form?theme=${encodeURIComponent(theme)}`, "Secure card form",
        (type, data) => this.heard(type, data));
      this.frame.element.style.minHeight = "300px";
      host.replaceChildren(this.frame.element);
      this.tell("loaderstart", { elementType: "payment" });
      this.check();
    }

    async check() {
      const { error, intent } = await this.group.stripe.fetchIntent(this.group.clientSecret);
      const refused = error || (FINISHED.includes(intent.status) && {
        type: "invalid_request_error",
        message: `This client secret cannot be used again: its intent is ${intent.status}.`,
      });
      if (refused) this.tell("loaderror", { elementType: "payment", error: refused });
      else {
        await this.frame?.ready;
        if (this.frame) this.tell("ready", { elementType: "payment" });
      }
    }

    heard(/** @type {string} */ type, /** @type {Data} */ data) {
      if (!this.frame) return;
      if (type === "loaded") {
        this.frame.becomeReady();
        this.frame.send("options", { readOnly: Boolean(this.options.readOnly) });
      } else if (type === "height") {
        const { style } = this.frame.element;
        released.then(() => Object.assign(style, { height: `${data.height}px`, minHeight: "0" }));
      } else if (type === "change") {
        /** @type {StripePaymentElementChangeEvent} */
        const event = {
          elementType: "payment", collapsed: false, empty: data.empty, complete: data.complete,
          value: { type: "card" },
        };
        this.tell("change", event);
      } else if (["focus", "blur", "escape"].includes(type)) this.tell(type, { elementType: "payment" });
    }

    unmount() {
      this.frame?.remove();
      this.frame = null;
    }

    destroy() {
      this.unmount();
      this.destroyed = true;
      this.group.payment = null;
    }

    focus() { this.frame?.send("focus"); }
    blur() { this.frame?.send("blur"); }
    clear() { this.frame?.send("clear"); }
    collapse() { return this; /* one method of payment: nothing to fold away */ }

    update(/** @type {StripePaymentElementUpdateOptions} */ options) {
      this.options = { ...this.options, ...options };
      this.frame?.send("options", { readOnly: Boolean(this.options.readOnly) });
      return this;
    }

    async validate() {
      if (!this.frame) throw new IntegrationError("The Payment Element must be mounted before it is submitted.");
      await this.frame.ready;
      return this.frame.ask("validate", {});
    }
  }

  /** @implements {ElementsStandIn} */
  class Elements extends Emitter {
    constructor(/** @type {Stripe} */ stripe, /** @type {StripeElementsOptionsClientSecret} */ options) {
      super();
      this.stripe = stripe;
      this.options = { ...options };
      this.clientSecret = this.options.clientSecret || "";
      /** @type {PaymentElement | null} */ this.payment = null;
      refuse("paymentMethodTypes" in this.options, NO_TYPES);
      kindOf(this.clientSecret);
    }

    create(/** @type {"payment"} */ type, /** @type {StripePaymentElementOptions | undefined} */ options) {
      if (type !== "payment") throw new IntegrationError(`A valid Element type must be provided; not ${type}.`);
      if (this.payment) throw new IntegrationError("Can only create one Element of type payment.");
      refuse(options && "paymentMethodTypes" in options, NO_TYPES);
      this.payment = new PaymentElement(this, options);
      return this.payment;
    }

    getElement(/** @type {"payment"} */ type) { return type === "payment" ? this.payment : null; }

    async submit() {
      if (!this.payment) throw new IntegrationError("elements.submit() needs a Payment Element.");
      const { error } = await this.payment.validate();
      return error ? { error } : { selectedPaymentMethod: "card" };
    }

    async update(/** @type {StripeElementsUpdateOptions} */ options) {
      if (options && "clientSecret" in options) throw new IntegrationError("The clientSecret of Elements cannot be changed.");
      Object.assign(this.options, options);
      this.tell("update-end", {});
    }

    async fetchUpdates() {
      const { error } = await this.stripe.fetchIntent(this.clientSecret);
      return error ? { error: { message: error.message || "" } } : {};
    }
  }

  /* 3D Secure: the bank's page in a modal frame, over everything else. */
  function authenticate(/** @type {string} */ clientSecret) {
    const { id } = kindOf(clientSecret);
    return /** @type {Promise<void>} */ (new Promise((resolve) => {
      const dialog = document.createElement("dialog");
      dialog.setAttribute("aria-label", "Authentication by your bank");
      Object.assign(dialog.style, {
        padding: "0", border: "0", borderRadius: "12px", width: "min(420px, 92vw)", overflow: "hidden",
        boxShadow: "0 12px 48px rgb(0 0 0 / 40%)",
      });
      const frame = new Frame(`/_sandbox/3ds/${id}?client_secret=${clientSecret}`, "Secure authentication",
        (type) => {
          if (type === "loaded") frame.becomeReady();
          if (type !== "done") return;
          dialog.close();
          frame.remove();
          dialog.remove();
          resolve();
        });
      frame.element.style.height = "360px";
      dialog.addEventListener("cancel", async (event) => {
        event.preventDefault();
        await frame.ready;
        frame.send("give-up", {});
      });
      dialog.append(frame.element);
      document.body.append(dialog);
      dialog.showModal();
    }));
  }

  /** @implements {StandIn} */
  class Stripe {
    constructor(/** @type {string} */ key, /** @type {StripeConstructorOptions | undefined} */ options) {
      refuse(typeof key !== "string" || key === "", "Please call Stripe() with your publishable key. You used an empty string.");
      refuse(/^(sk|rk)_/.test(key), "You should not use your secret key with Stripe.js. Use your publishable key.");
      refuse(!key.startsWith("pk_test_"), "The sandbox takes no live keys: use one that begins with pk_test_.");
      this.key = key;
      this.options = options || {};
    }

    elements(/** @type {StripeElementsOptionsClientSecret} */ options) {
      return new Elements(this, options);
    }

    /** @type {StandIn["confirmSetup"]} */ async confirmSetup(options) { return asSetup(await this.confirm("seti", options)); }
    /** @type {StandIn["confirmPayment"]} */ async confirmPayment(options) { return asPayment(await this.confirm("pi", options)); }
    async retrieveSetupIntent(/** @type {string} */ secret) { return asSetup(await this.retrieve("seti", secret)); }
    async retrievePaymentIntent(/** @type {string} */ secret) { return asPayment(await this.retrieve("pi", secret)); }
    registerAppInfo() { /* nobody to tell */ }
    _registerWrapper() { /* the npm loader announces itself */ }

    async handleNextAction(/** @type {{ clientSecret: string }} */ { clientSecret }) {
      const kind = kindOf(clientSecret);
      const { error, intent } = await this.fetchIntent(clientSecret);
      if (error) return { error };
      refuse(intent.status !== "requires_action", `handleNextAction: the intent is not in the requires_action state; it is ${intent.status}.`);
      const answer = await this.afterAuthentication(kind, clientSecret);
      return kind.path === KINDS.pi.path ? asPayment(answer) : asSetup(answer);
    }

    fetchIntent(/** @type {string} */ clientSecret) {
      const { path, id } = kindOf(clientSecret);
      return call("GET", `${path}/${id}`, { client_secret: clientSecret, key: this.key });
    }

    retrieve(/** @type {Prefix} */ prefix, /** @type {string} */ clientSecret) {
      sameKind(prefix, kindOf(clientSecret));
      return this.fetchIntent(clientSecret);
    }

    /** @param {Prefix} prefix @param {Confirm<{ return_url: string }>} options @returns {Promise<Answer>} */
    async confirm(prefix, { elements, clientSecret, confirmParams, redirect = "always" }) {
      const group = /** @type {Elements | undefined} */ (elements);
      const secret = clientSecret || group?.clientSecret || "";
      const kind = kindOf(secret);
      sameKind(prefix, kind);
      const returnUrl = confirmParams?.return_url;
      refuse(redirect !== "if_required" && redirect !== "always", `Invalid value for redirect: ${redirect}. Use 'always' or 'if_required'.`);
      refuse(redirect === "always" && !returnUrl, "confirmParams.return_url is required unless redirect is 'if_required'.");
      const params = { ...confirmParams, use_stripe_sdk: true, client_secret: secret, key: this.key };
      let answer = group ? await this.throughFrame(group, kind, params)
        : await call("POST", `${kind.path}/${kind.id}/confirm`, params);
      if (answer.intent?.status === "requires_action") answer = await this.afterAuthentication(kind, secret);
      if (answer.error || redirect === "if_required") return answer;
      const to = new URL(returnUrl || "");
      to.searchParams.set(kind.object, kind.id);
      to.searchParams.set(`${kind.object}_client_secret`, secret);
      to.searchParams.set("redirect_status", answer.intent.status === "processing" ? "pending" : "succeeded");
      location.assign(to.href);
      return new Promise(() => {});
    }

    /** @param {Elements} elements @param {Kind} kind @param {Data} params @returns {Promise<Answer>} */
    async throughFrame(elements, kind, params) {
      if (!elements.payment?.frame) throw new IntegrationError("Elements has no Payment Element to confirm with.");
      const { error } = await elements.payment.validate();
      if (error) return { error };
      return elements.payment.frame.ask("confirm", { path: `${kind.path}/${kind.id}/confirm`, params });
    }

    /** @param {Kind} kind @param {string} clientSecret @returns {Promise<Answer>} */
    async afterAuthentication(kind, clientSecret) {
      await authenticate(clientSecret);
      const { error, intent } = await this.fetchIntent(clientSecret);
      if (error) return { error };
      const failure = intent[kind.failure];
      if (intent.status === "requires_payment_method" && failure) {
        return { error: { ...failure, [kind.object]: intent } };
      }
      return { intent };
    }
  }

  function sameKind(/** @type {Prefix} */ prefix, /** @type {Kind} */ kind) {
    refuse(kind.path !== KINDS[prefix].path, "This client secret is of the other kind of intent.");
  }

  /** @type {(answer: Answer) => SetupIntentResult} */
  const asSetup = ({ error, intent }) => (error ? { error } : { setupIntent: intent });
  /** @type {(answer: Answer) => PaymentIntentResult} */
  const asPayment = ({ error, intent }) => (error ? { error } : { paymentIntent: intent });
  /** @type {StandInConstructor} */
  const standIn = (key, options) => new Stripe(key, options);
  Object.assign(window, { Stripe: Object.assign(standIn, { version: "endive" }) });
})();
