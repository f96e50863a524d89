"""What other than the compound could explain a difference."""
