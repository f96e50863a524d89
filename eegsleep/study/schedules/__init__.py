"""How a schedule is drawn, and drawn again for the test."""
