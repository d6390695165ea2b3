"""What the doors share: layout, components, styles, formats, signing in."""
