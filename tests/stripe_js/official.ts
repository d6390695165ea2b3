// Official Stripe.js is everything the stand-in says it is: what runs on the stand-in runs on Stripe.
import type { Stripe, StripeConstructor } from "@stripe/stripe-js";
import type { StandIn, StandInConstructor } from "../../stripe_sandbox/assets/stripe";

declare const constructor: StripeConstructor;
declare const official: Stripe;
export const standInConstructor: StandInConstructor = constructor;
export const standIn: StandIn = official;
