"""How the parts are put together: settings, addresses, the embedded database, the `callbill` command."""
