"""What Callbill relies on at Stripe: asked of the sandbox, and of Stripe's test mode when there is a key."""
