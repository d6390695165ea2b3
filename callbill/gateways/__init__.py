"""How we reach the outside: stripe (the only folder that imports the SDK) and email.

Each implements a port of the domain and is loaded by the path in the settings. Nothing here decides.
"""
