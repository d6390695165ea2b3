"""How we reach the outside: stripe (the only folder that imports the SDK) and email."""
