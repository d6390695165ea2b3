"""Whether we, our books and Stripe say the same, charge by charge and payout by payout.

Owns: BalanceTransaction and Payout (Stripe's money facts as they were read), ReconciliationRun, Difference,
and the postings of fees and payouts.
Does not own: charging, refunding and chargebacks (payments), the books themselves (ledger).
Always holds: what Stripe says is read, never guessed; a difference is named until it is gone.
"""
