/* What the stand-in has of Stripe.js, in the official types' own words. Official Stripe.js fits all of it, so a page
   written against these declarations runs on both (tests/sandbox/test_stripe_js.py holds both to it). */
import type {
  ConfirmPaymentData,
  ConfirmSetupData,
  PaymentIntentOrSetupIntentResult,
  PaymentIntentResult,
  SetupIntentResult,
  StripeConstructorOptions,
  StripeElements,
  StripeElementsOptionsClientSecret,
  StripeElementsUpdateOptions,
  StripeError,
  StripePaymentElement,
  StripePaymentElementOptions,
} from "@stripe/stripe-js";

export interface ElementsStandIn extends Pick<StripeElements, "submit" | "fetchUpdates"> {
  create(type: "payment", options?: StripePaymentElementOptions): StripePaymentElement;
  getElement(type: "payment"): StripePaymentElement | null;
  update(options: StripeElementsUpdateOptions): Promise<void>;
  on(event: "update-end", handler: () => void): void;
}

/** `Data` is what Stripe takes when it may redirect; without redirecting, any part of it. */
export type Confirm<Data> =
  | { elements: ElementsStandIn; clientSecret?: undefined; confirmParams?: Partial<Data>; redirect: "if_required" }
  | { elements?: ElementsStandIn; clientSecret: string; confirmParams?: Partial<Data>; redirect: "if_required" }
  | { elements: ElementsStandIn; clientSecret?: undefined; confirmParams: Data; redirect?: "always" }
  | { elements?: ElementsStandIn; clientSecret: string; confirmParams: Data; redirect?: "always" };

export interface StandIn {
  elements(options: StripeElementsOptionsClientSecret): ElementsStandIn;
  confirmSetup(options: Confirm<ConfirmSetupData>): Promise<SetupIntentResult>;
  confirmPayment(options: Confirm<ConfirmPaymentData>): Promise<PaymentIntentResult>;
  retrieveSetupIntent(clientSecret: string): Promise<SetupIntentResult>;
  retrievePaymentIntent(clientSecret: string): Promise<PaymentIntentResult>;
  handleNextAction(options: { clientSecret: string }): Promise<PaymentIntentOrSetupIntentResult>;
}

export interface StandInConstructor {
  (publishableKey: string, options?: StripeConstructorOptions): StandIn;
}

/* What the stand-in says to itself. */
export type Prefix = "pi" | "seti";
export type Kind = { path: string; object: string; failure: string; id: string };
export type Answer = { intent: any; error?: undefined } | { intent?: undefined; error: StripeError };
export type Data = Record<string, any>;
export type Handler = (event: any) => any;
