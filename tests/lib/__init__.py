"""The small tools of callbill/lib."""
