"""What was declared before the nights: protocol, nights, expectations."""
