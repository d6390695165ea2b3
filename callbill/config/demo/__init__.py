"""The demo's made-up customers and the year they live through."""
