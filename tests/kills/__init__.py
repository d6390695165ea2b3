"""Every kill point, times every fault, times keys fresh and aged: nothing charged twice, lost or told twice.

`python -m tests.kills` walks the whole matrix and prints it as a table; `test_kills.py` walks a part of it in
`make test`. A case is named by what is done to which work, and can be walked alone by its name:
`python -m tests.kills --only "charging/success/kill 4 after/timeout_after/aged"`.

The crashes are real (`os._exit` in a fork that does the work), the database and the sandbox are real, and the
product has no hook for any of it: what can end a piece of work is counted from outside (`points.py`).
"""
