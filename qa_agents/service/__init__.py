"""The web service: deliveries in, acknowledged once they are on disk; health and numbers out."""
