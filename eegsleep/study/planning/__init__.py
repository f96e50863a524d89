"""What a design can show, and the drawn plan."""
