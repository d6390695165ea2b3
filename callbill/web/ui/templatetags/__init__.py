"""Template tags of both doors: formats for money and time, badges, navigation."""
