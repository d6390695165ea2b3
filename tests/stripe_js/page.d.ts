// What a page of the product finds on its window, and no more than the stand-in has of it.
import type { StandInConstructor } from "../../stripe_sandbox/assets/stripe";

declare global {
  interface Window {
    Stripe: StandInConstructor;
  }
  // getElementById says HTMLElement whatever is found; what is checked here is the talk with Stripe.
  interface HTMLElement {
    disabled: boolean;
  }
}
