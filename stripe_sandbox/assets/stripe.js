/* Stand-in for Stripe.js (endive). The host page never sees card data: the form is a frame of the sandbox's own
   origin. Styles are set through the CSSOM only, so a host page may forbid inline styles. */
(() => {
  "use strict";

  const ORIGIN = new URL(document.currentScript.src).origin;
  const KINDS = {
    pi: { path: "payment_intents", result: "paymentIntent", object: "payment_intent", failure: "last_payment_error" },
    seti: { path: "setup_intents", result: "setupIntent", object: "setup_intent", failure: "last_setup_error" },
  };
  const FINISHED = ["succeeded", "canceled", "processing", "requires_capture"];
  const OFFLINE = {
    type: "api_connection_error",
    message: "We could not reach the payment provider. Check your internet connection and try again.",
  };
  let frames = 0;

  class IntegrationError extends Error {
    constructor(message) {
      super(message);
      this.name = "IntegrationError";
    }
  }

  function kindOf(clientSecret) {
    const found = /^(pi|seti)_[A-Za-z0-9]+_secret_[A-Za-z0-9]+$/.exec(clientSecret || "");
    if (!found) throw new IntegrationError(`Invalid value for clientSecret: ${clientSecret}`);
    return { ...KINDS[found[1]], id: clientSecret.split("_secret_")[0] };
  }

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

  async function call(method, path, params) {
    const form = encode(params);
    const url = `${ORIGIN}/v1/${path}`;
    try {
      const answer = method === "GET"
        ? await fetch(`${url}?${form}`)
        : await fetch(url, { method, body: form });
      const body = await answer.json();
      return body.error ? { error: body.error } : { intent: body };
    } catch {
      return { error: OFFLINE };
    }
  }

  /* A frame of the sandbox and the messages to and from it. */
  class Frame {
    constructor(path, title, onMessage) {
      this.id = `sandbox-${++frames}`;
      this.waiting = new Map();
      this.asked = 0;
      this.element = document.createElement("iframe");
      this.element.title = title;
      this.element.name = this.id;
      const url = new URL(path, ORIGIN);
      url.searchParams.set("parent", location.origin);
      url.searchParams.set("frame", this.id);
      this.element.src = url.href;
      const style = this.element.style;
      style.border = "0";
      style.width = "100%";
      style.display = "block";
      this.listener = (event) => {
        if (event.origin !== ORIGIN || event.source !== this.element.contentWindow) return;
        const { type, request, ...data } = event.data || {};
        if (type === "reply") {
          this.waiting.get(request)?.(data.result);
          this.waiting.delete(request);
        } else onMessage(type, data);
      };
      window.addEventListener("message", this.listener);
    }

    send(type, data) {
      this.element.contentWindow?.postMessage({ type, ...data }, ORIGIN);
    }

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
      this.handlers = new Map();
    }

    on(name, handler) {
      if (typeof handler !== "function") throw new IntegrationError("A handler must be a function.");
      if (!this.handlers.has(name)) this.handlers.set(name, new Set());
      this.handlers.get(name).add(handler);
      return this;
    }

    once(name, handler) {
      const only = (event) => {
        this.off(name, only);
        handler(event);
      };
      only.original = handler;
      return this.on(name, only);
    }

    off(name, handler) {
      const known = this.handlers.get(name);
      if (!known) return this;
      if (!handler) known.clear();
      else for (const each of known) if (each === handler || each.original === handler) known.delete(each);
      return this;
    }

    tell(name, event) {
      for (const handler of [...(this.handlers.get(name) || [])]) handler(event);
    }
  }

  class PaymentElement extends Emitter {
    constructor(group, options) {
      super();
      this.group = group;
      this.options = options || {};
      this.frame = null;
      this.destroyed = false;
    }

    mount(where) {
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
      this.frame.ready = new Promise((resolve) => { this.frame.becomeReady = resolve; });
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

    heard(type, data) {
      if (type === "loaded") {
        this.frame.becomeReady();
        this.frame.send("options", { readOnly: Boolean(this.options.readOnly) });
      } else if (type === "height") {
        this.frame.element.style.height = `${data.height}px`;
        this.frame.element.style.minHeight = "0";
      } else if (type === "change") {
        this.tell("change", {
          elementType: "payment", collapsed: false, empty: data.empty, complete: data.complete,
          value: { type: "card" },
        });
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
    collapse() { /* one method of payment: nothing to fold away */ }

    update(options) {
      this.options = { ...this.options, ...options };
      this.frame?.send("options", { readOnly: Boolean(this.options.readOnly) });
    }

    async validate() {
      if (!this.frame) throw new IntegrationError("The Payment Element must be mounted before it is submitted.");
      await this.frame.ready;
      return this.frame.ask("validate", {});
    }
  }

  class Elements extends Emitter {
    constructor(stripe, options) {
      super();
      this.stripe = stripe;
      this.options = options || {};
      this.clientSecret = this.options.clientSecret;
      this.payment = null;
      kindOf(this.clientSecret);
    }

    create(type, options) {
      if (type !== "payment") throw new IntegrationError(`A valid Element type must be provided; not ${type}.`);
      if (this.payment) throw new IntegrationError("Can only create one Element of type payment.");
      if (options?.paymentMethodTypes) throw new IntegrationError("paymentMethodTypes is no longer supported.");
      this.payment = new PaymentElement(this, options);
      return this.payment;
    }

    getElement(type) {
      return (type === "payment" || type === PaymentElement) ? this.payment : null;
    }

    async submit() {
      if (!this.payment) throw new IntegrationError("elements.submit() needs a Payment Element.");
      const { error } = await this.payment.validate();
      return error ? { error } : { selectedPaymentMethod: "card" };
    }

    async update(options) {
      if (options?.clientSecret) throw new IntegrationError("The clientSecret of Elements cannot be changed.");
      this.options = { ...this.options, ...options };
      this.tell("update-end", {});
    }

    async fetchUpdates() {
      const { error } = await this.stripe.fetchIntent(this.clientSecret);
      return error ? { error: { message: error.message } } : {};
    }
  }

  /* 3D Secure: the bank's page in a modal frame, over everything else. */
  function authenticate(clientSecret) {
    const { id } = kindOf(clientSecret);
    return new Promise((resolve) => {
      const dialog = document.createElement("dialog");
      dialog.setAttribute("aria-label", "Authentication by your bank");
      Object.assign(dialog.style, {
        padding: "0", border: "0", borderRadius: "12px", width: "min(420px, 92vw)", overflow: "hidden",
        boxShadow: "0 12px 48px rgb(0 0 0 / 40%)",
      });
      let loaded;
      const ready = new Promise((done) => { loaded = done; });
      const frame = new Frame(`/_sandbox/3ds/${id}?client_secret=${clientSecret}`, "Secure authentication",
        (type) => {
          if (type === "loaded") loaded();
          if (type !== "done") return;
          dialog.close();
          frame.remove();
          dialog.remove();
          resolve();
        });
      frame.element.style.height = "360px";
      dialog.addEventListener("cancel", async (event) => {
        event.preventDefault();
        await ready;
        frame.send("give-up", {});
      });
      dialog.append(frame.element);
      document.body.append(dialog);
      dialog.showModal();
    });
  }

  class Stripe {
    constructor(key, options) {
      if (typeof key !== "string" || key === "") {
        throw new IntegrationError("Please call Stripe() with your publishable key. You used an empty string.");
      }
      if (/^(sk|rk)_/.test(key)) {
        throw new IntegrationError("You should not use your secret key with Stripe.js. Use your publishable key.");
      }
      if (!key.startsWith("pk_test_")) {
        throw new IntegrationError("The sandbox takes no live keys: use one that begins with pk_test_.");
      }
      this.key = key;
      this.options = options || {};
    }

    elements(options) {
      return new Elements(this, options);
    }

    confirmSetup(options) { return this.confirm("seti", options); }
    confirmPayment(options) { return this.confirm("pi", options); }
    retrieveSetupIntent(clientSecret) { return this.retrieve("seti", clientSecret); }
    retrievePaymentIntent(clientSecret) { return this.retrieve("pi", clientSecret); }
    registerAppInfo() { /* nobody to tell */ }
    _registerWrapper() { /* the npm loader announces itself */ }

    async handleNextAction({ clientSecret }) {
      const kind = kindOf(clientSecret);
      const { error, intent } = await this.fetchIntent(clientSecret);
      if (error) return { error };
      if (intent.status !== "requires_action") {
        throw new IntegrationError(`handleNextAction: the intent is not in the requires_action state; it is ${intent.status}.`);
      }
      return this.afterAuthentication(kind, clientSecret);
    }

    fetchIntent(clientSecret) {
      const { path, id } = kindOf(clientSecret);
      return call("GET", `${path}/${id}`, { client_secret: clientSecret, key: this.key });
    }

    async retrieve(prefix, clientSecret) {
      const kind = kindOf(clientSecret);
      if (kind.path !== KINDS[prefix].path) throw new IntegrationError("This client secret is of the other kind of intent.");
      const { error, intent } = await this.fetchIntent(clientSecret);
      return error ? { error } : { [kind.result]: intent };
    }

    async confirm(prefix, { elements, clientSecret, confirmParams = {}, redirect = "always" }) {
      const secret = clientSecret || elements?.clientSecret;
      const kind = kindOf(secret);
      if (kind.path !== KINDS[prefix].path) {
        throw new IntegrationError("This client secret is of the other kind of intent.");
      }
      if (redirect !== "if_required" && redirect !== "always") {
        throw new IntegrationError(`Invalid value for redirect: ${redirect}. Use 'always' or 'if_required'.`);
      }
      if (redirect === "always" && !confirmParams.return_url) {
        throw new IntegrationError("confirmParams.return_url is required unless redirect is 'if_required'.");
      }
      const params = { ...confirmParams, use_stripe_sdk: true, client_secret: secret, key: this.key };
      const answer = elements ? await this.throughFrame(elements, kind, params)
        : await call("POST", `${kind.path}/${kind.id}/confirm`, params);
      let result;
      if (answer.error) result = { error: answer.error };
      else if (answer.intent.status === "requires_action") result = await this.afterAuthentication(kind, secret);
      else result = { [kind.result]: answer.intent };
      if (result.error || redirect === "if_required") return result;
      const to = new URL(confirmParams.return_url);
      to.searchParams.set(kind.object, kind.id);
      to.searchParams.set(`${kind.object}_client_secret`, secret);
      to.searchParams.set("redirect_status", "succeeded");
      location.assign(to.href);
      return new Promise(() => {});
    }

    async throughFrame(elements, kind, params) {
      if (!elements.payment) throw new IntegrationError("Elements has no Payment Element to confirm with.");
      const { error } = await elements.payment.validate();
      if (error) return { error };
      return elements.payment.frame.ask("confirm", { path: `${kind.path}/${kind.id}/confirm`, params });
    }

    async afterAuthentication(kind, clientSecret) {
      await authenticate(clientSecret);
      const { error, intent } = await this.fetchIntent(clientSecret);
      if (error) return { error };
      const failure = intent[kind.failure];
      if (intent.status === "requires_payment_method" && failure) {
        return { error: { ...failure, [kind.object]: intent } };
      }
      return { [kind.result]: intent };
    }
  }

  window.Stripe = (key, options) => new Stripe(key, options);
  window.Stripe.version = "endive";
})();
