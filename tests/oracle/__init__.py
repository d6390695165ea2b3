"""The second rating: the same money worked out again, slowly, call by call, from the documents alone.

Written from the rules of the money (M1 to M25) and the description of the contract file, without reading
the program's own rules and without importing them; only `compare.py` and the tests touch `callbill`. The
contract is the file's image (a dict), a call is its JSON image (a dict), numbers are fractions.

Where those documents are silent, this is how they are read here:

- Quantity: a charge per minute has the sum of its calls' billed seconds, divided by 60 once. The quantity on
  the line is all units, the included ones too.
- Included units go to the calls in the order of (anchor instant, id). Packages are counted after them.
- A connection fee is due for every billed call, also for one whose units are included. It belongs to the
  charge: floor and cap are put on units, flats and connection fees together.
- Graduated: a tier is reached when more units than its lower bound were used. Volume: all units are priced
  by the one tier they end in, and only that tier's flat is added. With no unit at all the first tier's is.
- Flats are the period's, not a call's: "round each call" leaves them alone. It rounds the call's units and
  its connection fee together, half away from zero, and the line's sum once more to the minor unit.
- Floor and cap hold for a charge nobody used, too. Proration shrinks what the contract file names (included,
  tier bounds, floor, cap), not rates, flats, package sizes or the number of free short calls.
- A discount covers a line when it holds on the first day of what the line is for. A discount by amount takes
  no more than is there, and is not prorated. The sum a percentage is taken of is the sum of rounded lines.
- The true-up is the minimum, shrunk and rounded once, less the counted lines after their discounts.
- A fee's quantity over time: a history says what holds from a day on, nothing before its first day. Fixed is
  what holds on the first day of what the fee is for, end on its last, maximum and average over its days.
- Inclusive: with several rates on a line the price contains all of them, each the percentage of the same net.
- An exemption covers a line when it holds on every day of what the line is for. Prices that include tax
  are charged without it: what would be the tax inside is found in the same way, once per rate
  and company, and not charged.
- A pool's calls run through the meter company by company, in the order of the sections; it matters only to
  charges that round each call. A pooled true-up is shared by the units of what counts toward it, or by the
  money if some of it counts calls and some minutes.
- In a part of a period that another version's part follows, what is not prorated waits for the last part:
  fees in arrears, floors, the monthly minimum, discounts by amount. What the parts before came to counts
  toward a minimum that is not prorated. Included units, tiers and caps that are not prorated hold whole.
- A discount on prices that include tax is shown without it, rounded once per discount.
- Largest remainder: every share is cut down to a whole number, and what is missing goes to the largest
  remainders, of equal ones to the first. The shares of a percentage or a tax are that percentage of each
  line, exactly; the shares of an amount are in proportion. A negative sum is shared like the positive one.
- Weekday, hour and holiday are those on the wall at the anchor instant. A day begins at the first instant on
  which the wall shows its date (or, for a date that a zone left out, a later one).
- Days of a period are the dates in it.
"""
