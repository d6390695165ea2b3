"""One module per subcommand of `callbill`, each with HELP, NEEDS_DJANGO, configure(parser) and run(args)."""
